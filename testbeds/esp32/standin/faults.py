"""Makes the faults of a board on a bench table, asked for one by one, to test what the harness makes of them."""

from __future__ import annotations

import random


class Noise:
    """Damages bytes of a serial line, each with the same probability, from a seed."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._random = random.Random(0)
        self.damaged = 0

    def set(self, rate: float, seed: int = 0) -> None:
        """Damage each byte with probability `rate` from now on."""
        if not 0 <= rate <= 1:
            raise ValueError("a rate is from 0 to 1")
        self._rate = rate
        self._random = random.Random(seed)

    def through(self, data: bytes) -> bytes:
        """Return what arrives of `data`."""
        if not self._rate:
            return data
        out = bytearray(data)
        for i in range(len(out)):
            if self._random.random() < self._rate:
                out[i] ^= self._random.randrange(1, 256)
                self.damaged += 1
        return bytes(out)
