"""Is the guest only waiting? Seen from its polls: the same status registers read again and again, nothing changing."""

from __future__ import annotations

QUIET_READS = 3  # the same value this often in a row is waiting
TIGHT_INSTRUCTIONS = 400  # a loop that does more than this between two polls is not only waiting
DELAY_READS = 64  # this many reads of a clock and of nothing else is a delay loop


class IdleDetector:
    """Told of every peripheral access; says when the guest idles, and on what."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._seen: dict[int, list[int]] = {}  # status register -> [value, times]
        self._last_instructions = 0
        self._clock_reads = 0
        self.reads_clock = False  # the loop looks at a clock too: it may have a time-out

    def progress(self) -> None:
        """The guest did something: wrote a register, took a byte."""
        if self._seen or self._clock_reads:
            self.reset()

    @property
    def polled(self) -> frozenset[int]:
        """Addresses of the status registers that the loop polls."""
        return frozenset(self._seen)

    def status(self, address: int, value: int, instructions: int) -> bool:
        """A status register was read. Returns whether the guest idles."""
        if instructions - self._last_instructions > TIGHT_INSTRUCTIONS:
            self.reset()
        self._last_instructions = instructions
        seen = self._seen.get(address)
        if seen is None:
            self._seen[address] = [value, 1]
            return False
        if seen[0] != value:
            self.reset()
            self._last_instructions = instructions
            self._seen[address] = [value, 1]
            return False
        seen[1] += 1
        return seen[1] >= QUIET_READS

    def clock(self, instructions: int) -> bool:
        """A clock (cycle counter, timer) was read. Returns whether this is a delay loop."""
        if instructions - self._last_instructions > TIGHT_INSTRUCTIONS:
            self.reset()
        self._last_instructions = instructions
        self.reads_clock = True
        self._clock_reads += 1
        return not self._seen and self._clock_reads >= DELAY_READS

    def state(self) -> tuple[dict[int, list[int]], int, int, bool]:
        seen = {address: list(entry) for address, entry in self._seen.items()}
        return seen, self._last_instructions, self._clock_reads, self.reads_clock

    def restore(self, state: tuple[dict[int, list[int]], int, int, bool]) -> None:
        seen, self._last_instructions, self._clock_reads, self.reads_clock = state
        self._seen = {address: list(entry) for address, entry in seen.items()}
