"""Virtual time of the emulated board: modelled cycles, the clock they run at, and what happens when.

Times are whole picoseconds since reset, cycles whole cycles: a run is exact and repeats. A change of clock frequency
rebases, so that cycles before it keep the duration they had.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

PS = 10**12  # picoseconds in a second


class VirtualTime:
    """Converts cycles to picoseconds and keeps the queue of events.

    An event is due when the clock reaches it; nothing runs by itself: whoever needs to know asks `run_due()` first.
    """

    def __init__(self, cycles: Callable[[], int], hz: int) -> None:
        self._cycles, self._hz = cycles, hz
        self._base_cycles, self._base_ps = 0, 0
        self._queue: list[tuple[int, int, Callable[[int], None], bool]] = []
        self._order = 0

    @property
    def hz(self) -> int:
        """Core clock now, Hz."""
        return self._hz

    def set_hz(self, hz: int) -> None:
        """The core clock changes now."""
        cycles = self._cycles()
        self._base_ps = self.ps_at(cycles)
        self._base_cycles, self._hz = cycles, hz

    def settle(self, ps: int) -> None:
        """From now on the present cycle starts at exactly `ps`, which must not lie before it."""
        if ps < self.now_ps:
            raise ValueError("time never goes back")
        self._base_cycles, self._base_ps = self._cycles(), ps

    def ps_at(self, cycles: int) -> int:
        return self._base_ps + (cycles - self._base_cycles) * PS // self._hz

    def cycles_at(self, ps: int) -> int:
        """The first cycle that starts at or after `ps`."""
        return self._base_cycles - (-(ps - self._base_ps) * self._hz // PS)

    @property
    def now_ps(self) -> int:
        return self.ps_at(self._cycles())

    # --- events ---
    def at(self, ps: int, action: Callable[[int], None], *, periodic: bool = False) -> None:
        """Call `action(ps)` when time reaches `ps`. Periodic events (timers) don't keep the board from idling."""
        self._order += 1
        heapq.heappush(self._queue, (ps, self._order, action, periodic))

    def cancel(self, action: Callable[[int], None]) -> None:
        self._queue = [entry for entry in self._queue if entry[2] != action]
        heapq.heapify(self._queue)

    def next_ps(self) -> int | None:
        """When the next event is due; None when nothing is."""
        return self._queue[0][0] if self._queue else None

    def next_single_ps(self) -> int | None:
        """When the next event that is not periodic is due."""
        return min((entry[0] for entry in self._queue if not entry[3]), default=None)

    def run_due(self, now: int | None = None) -> int:
        """Run what is due, in order of time. Returns now in picoseconds (given by who knows it already)."""
        now = self.now_ps if now is None else now
        while self._queue and self._queue[0][0] <= now:
            ps, _, action, _ = heapq.heappop(self._queue)
            action(ps)
        return now

    # --- snapshot: devices keep their own state; bound methods in the queue stay valid ---
    def state(self) -> Any:
        return (self._hz, self._base_cycles, self._base_ps, list(self._queue), self._order)

    def restore(self, state: Any) -> None:
        self._hz, self._base_cycles, self._base_ps, queue, self._order = state
        self._queue = list(queue)
