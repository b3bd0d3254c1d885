"""Watches the console of a board that is a process on this host, and tells its end instead of silence."""

from __future__ import annotations

import time
from collections.abc import Callable

import serial

POLL_S = 0.1  # how often a silent port asks whether its board still lives


class WatchedPort:
    """Wraps a pyserial port whose process may end.

    Args:
        lost: asked while the port is silent or has failed; raises, with the reason, when the board can answer no more.
    """

    def __init__(self, path: str, baud: int, lost: Callable[[], None]) -> None:
        self._lost = lost
        self._port = serial.Serial(path, baud, timeout=POLL_S)
        self.timeout: float | None = None

    @property
    def in_waiting(self) -> int:
        """Return how many bytes can be read at once."""
        try:
            return int(self._port.in_waiting)
        except OSError:
            self._lost()
            raise

    def read(self, size: int = 1) -> bytes:
        """Read up to `size` bytes, or fewer when `timeout` has passed.

        Raises:
            BenchFailed: what `lost` raises.
            OSError: the port has failed and the board still lives.
        """
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        try:
            while True:
                left = POLL_S if deadline is None else max(0.0, deadline - time.monotonic())
                self._port.timeout = min(POLL_S, left)
                data = self._port.read(max(1, min(size, self._port.in_waiting)))
                if data:
                    return bytes(data)
                self._lost()
                if left == 0.0:
                    return b""
        except OSError:
            self._lost()
            raise

    def write(self, data: bytes) -> int | None:
        """Send bytes. Raises as `read`."""
        try:
            return self._port.write(data)
        except OSError:
            self._lost()
            raise

    def reset_input_buffer(self) -> None:
        """Drop what has come."""
        try:
            self._port.reset_input_buffer()
        except OSError:
            self._lost()
            raise

    def close(self) -> None:
        """Close the port. It is safe to call this twice."""
        self._port.close()
