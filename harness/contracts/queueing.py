"""Computes one direction of a link: the rule of tc-netem(8) with a rate, for all links that are not the kernel's.

A packet is lost with the chance `loss`, or dropped when `limit` packets wait; neither takes time of the line. Any other
leaves `size * 8 / rate` after the later of two moments: its own arrival plus its delay (with jitter), and the moment at
which the packet before it leaves. So packets keep their order, and a delay costs a train of packets once.
"""

from __future__ import annotations

import random
from collections import deque
from statistics import NormalDist

from harness.contracts.link import Direction

_CUT = 4.0  # standard deviations: netem's own table of the normal distribution ends there
_NORMAL = NormalDist()


class Queue:
    """Models one direction. Times are whole numbers of a unit of which there are `second` in a second.

    Args:
        chance: decides every loss and every jitter, in the order of packets: a seed, or a source of its own.
    """

    def __init__(self, shape: Direction, second: int, chance: str | random.Random) -> None:
        self.shape = shape
        self._second = second
        self._random = random.Random(chance) if isinstance(chance, str) else chance
        self.free = 0  # when the last packet leaves
        self._waiting: deque[int] = deque()

    def offer(self, size_bytes: int, at: int) -> int | None:
        """Offer a packet of `size_bytes` (headers included) at `at`; return when it leaves, or None when it is lost or
        dropped.
        """
        shape = self.shape
        while self._waiting and self._waiting[0] <= at:
            self._waiting.popleft()
        if shape.loss and self._random.random() < shape.loss:
            return None
        if len(self._waiting) >= shape.limit:
            return None
        start = max(self.free, at + self._delay())
        self.free = start + round(size_bytes * 8 * self._second / shape.rate_bps)
        self._waiting.append(self.free)
        return self.free

    def _delay(self) -> int:
        shape = self.shape
        delay_ms = shape.delay_ms
        if shape.jitter_ms:
            delay_ms += shape.jitter_ms * self._deviation()
        return max(0, round(delay_ms * self._second / 1000))

    def _deviation(self) -> float:
        u = self._random.random()
        if self.shape.distribution == "uniform":
            return 2 * u - 1
        return max(-_CUT, min(_CUT, _NORMAL.inv_cdf(u or 2**-54)))
