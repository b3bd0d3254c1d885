"""Damages bytes of a serial port both ways, by a seed, and counts the frames that went through it."""

from __future__ import annotations

import numpy as np

from harness.contracts.testbed import SerialPort


class NoisyPort:
    """Wraps a port; each byte is damaged with probability `share`. An open, quiet line stays quiet."""

    def __init__(self, port: SerialPort, share: float, seed: int) -> None:
        self._port = port
        self._share = share
        self._rng = np.random.default_rng(seed)
        self.frames = 0  # whole ones, both ways, before they were damaged
        self.damaged_bytes = 0

    @property
    def timeout(self) -> float | None:
        """Return the time-out of the port below."""
        return self._port.timeout

    @timeout.setter
    def timeout(self, value: float | None) -> None:
        self._port.timeout = value

    @property
    def in_waiting(self) -> int:
        """Return how many bytes can be read at once."""
        return int(getattr(self._port, "in_waiting", 0))

    def read(self, size: int = 1) -> bytes:
        """Return what came, damaged."""
        return self._damage(self._port.read(size))

    def write(self, data: bytes) -> int | None:
        """Send it damaged."""
        return self._port.write(self._damage(data))

    def reset_input_buffer(self) -> None:
        """Drop what has come."""
        self._port.reset_input_buffer()

    def close(self) -> None:
        """Close the port below."""
        self._port.close()

    def _damage(self, data: bytes) -> bytes:
        if not data:
            return data
        self.frames += data.count(0)
        values = np.frombuffer(data, dtype=np.uint8).copy()
        hit = self._rng.random(len(values)) < self._share
        values[hit] ^= self._rng.integers(1, 256, int(hit.sum()), dtype=np.uint8)
        self.damaged_bytes += int(hit.sum())
        return values.tobytes()
