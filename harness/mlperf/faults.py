"""Puts faults on a line to a device: bytes lost, garbage, half lines, silence. They are seeded: the same run has the
same faults.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol


class Engine(Protocol):
    """Defines a device that speaks: the stand-in, or the C sources in a shared library."""

    def boot(self) -> bytes: ...

    def feed(self, data: bytes) -> bytes: ...


@dataclass(frozen=True)
class Faults:
    """Says what goes wrong, as probabilities a byte or a line.

    Attributes:
        lose_rx, lose_tx: a byte to, from the device is lost.
        garbage_tx: before a byte from the device one stray byte comes.
        half_line: a line from the device stops in its middle, its end is missing.
        reboot: on a byte to the device it restarts.
        hang_after: bytes to the device after which it is silent for good; -1 = never.
        most: faults in total, after which the line is good; -1 = no bound.
    """

    lose_rx: float = 0.0
    lose_tx: float = 0.0
    garbage_tx: float = 0.0
    half_line: float = 0.0
    reboot: float = 0.0
    hang_after: int = -1
    most: int = -1
    seed: int = 0


class FaultyLine:
    """Puts a device behind a bad line."""

    def __init__(self, device: Engine, faults: Faults) -> None:
        self.device = device
        self.faults = faults
        self.happened = 0
        self._random = random.Random(faults.seed)
        self._taken = 0

    def boot(self) -> bytes:
        return self._spoil(self.device.boot())

    def feed(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            self._taken += 1
            if 0 <= self.faults.hang_after < self._taken:
                return b""
            if self._strikes(self.faults.reboot):
                out += self._spoil(self.device.boot())
            if not self._strikes(self.faults.lose_rx):
                out += self._spoil(self.device.feed(bytes([byte])))
        return bytes(out)

    def _spoil(self, answer: bytes) -> bytes:
        out = bytearray()
        for line in answer.splitlines(keepends=True):
            if self._strikes(self.faults.half_line):
                out += line[: self._random.randrange(len(line))]
                continue
            for byte in line:
                if self._strikes(self.faults.garbage_tx):
                    out.append(self._random.randrange(256))
                if not self._strikes(self.faults.lose_tx):
                    out.append(byte)
        return bytes(out)

    def _strikes(self, probability: float) -> bool:
        if probability <= 0 or 0 <= self.faults.most <= self.happened:
            return False
        struck = self._random.random() < probability
        self.happened += struck
        return struck
