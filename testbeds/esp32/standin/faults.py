"""Faults of a board on a bench table, asked for one by one: what the harness makes of them is what is tested."""

from __future__ import annotations

import random


class Noise:
    """Damages bytes of a serial line, each with the same probability, seeded."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._random = random.Random(0)
        self.damaged = 0

    def set(self, rate: float, seed: int = 0) -> None:
        """From now on each byte is damaged with probability `rate`."""
        if not 0 <= rate <= 1:
            raise ValueError("a rate is from 0 to 1")
        self._rate = rate
        self._random = random.Random(seed)

    def through(self, data: bytes) -> bytes:
        """What arrives of `data`."""
        if not self._rate:
            return data
        out = bytearray(data)
        for i in range(len(out)):
            if self._random.random() < self._rate:
                out[i] ^= self._random.randrange(1, 256)
                self.damaged += 1
        return bytes(out)
