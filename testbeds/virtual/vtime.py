"""Keeps the virtual time of the emulated board: modelled cycles, the clock they run at, and what happens when.

Times are whole units of testbeds.timebase since reset, and cycles are whole too: a run is exact and repeats. A change
of clock frequency rebases, so that cycles before it keep the duration they had.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from testbeds.timebase import SECOND


class VirtualTime:
    """Converts cycles to time and keeps the queue of events.

    An event is due when the clock reaches it; nothing runs by itself: whoever needs to know asks `run_due()` first.
    """

    def __init__(self, cycles: Callable[[], int], hz: int) -> None:
        self._cycles, self._hz = cycles, hz
        self._base_cycles, self._base_t = 0, 0
        self._queue: list[tuple[int, int, Callable[[int], None], bool]] = []
        self._order = 0

    @property
    def hz(self) -> int:
        """Return the present core clock in Hz."""
        return self._hz

    def set_hz(self, hz: int) -> None:
        """Change the core clock now."""
        cycles = self._cycles()
        self._base_t = self.t_at(cycles)
        self._base_cycles, self._hz = cycles, hz

    def settle(self, t: int) -> None:
        """Let the present cycle start at exactly `t` from now on; `t` must not lie before it."""
        if t < self.now_t:
            raise ValueError("time never goes back")
        self._base_cycles, self._base_t = self._cycles(), t

    def t_at(self, cycles: int) -> int:
        return self._base_t + (cycles - self._base_cycles) * SECOND // self._hz

    def cycles_at(self, t: int) -> int:
        """Return the first cycle that starts at or after `t`."""
        return self._base_cycles - (-(t - self._base_t) * self._hz // SECOND)

    @property
    def now_t(self) -> int:
        return self.t_at(self._cycles())

    # --- events ---
    def at(self, t: int, action: Callable[[int], None], *, periodic: bool = False) -> None:
        """Call `action(t)` when time reaches `t`. Periodic events (timers) don't keep the board from idling."""
        self._order += 1
        heapq.heappush(self._queue, (t, self._order, action, periodic))

    def cancel(self, action: Callable[[int], None]) -> None:
        self._queue = [entry for entry in self._queue if entry[2] != action]
        heapq.heapify(self._queue)

    def next_t(self) -> int | None:
        """Return when the next event is due, or None when nothing is."""
        return self._queue[0][0] if self._queue else None

    def next_single_t(self) -> int | None:
        """Return when the next event that is not periodic is due."""
        return min((entry[0] for entry in self._queue if not entry[3]), default=None)

    def run_due(self, now: int | None = None) -> int:
        """Run what is due, in order of time. Returns now (given by whoever knows it already)."""
        now = self.now_t if now is None else now
        while self._queue and self._queue[0][0] <= now:
            t, _, action, _ = heapq.heappop(self._queue)
            action(t)
        return now

    # --- snapshot: devices keep their own state; bound methods in the queue stay valid ---
    def state(self) -> Any:
        return (self._hz, self._base_cycles, self._base_t, list(self._queue), self._order)

    def restore(self, state: Any) -> None:
        self._hz, self._base_cycles, self._base_t, queue, self._order = state
        self._queue = list(queue)
