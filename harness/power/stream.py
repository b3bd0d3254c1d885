"""Reads a port in a thread while a recording runs, so that nothing overflows while the harness does other things."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import serial


class StreamReader:
    """Feeds every chunk read from `port` to `take`, with the host's monotonic clock; keeps the first error.

    Args:
        port: an open port with a short read time-out.
        take: called with (bytes, monotonic seconds) in the reading thread.
        chunk_bytes: most bytes read at once.
    """

    def __init__(self, port: serial.Serial, take: Callable[[bytes, float], None], chunk_bytes: int = 1 << 16) -> None:
        self._port = port
        self._take = take
        self._chunk = chunk_bytes
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._last_s = time.monotonic()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="probe-reader", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._last_s = time.monotonic()
        self._thread.start()

    def wait_until(self, done: Callable[[], bool], quiet_s: float) -> bool:
        """Wait until `done()`; return False when no byte came for `quiet_s` or the port failed."""
        with self._changed:
            while not done():
                left = self._last_s + quiet_s - time.monotonic()
                if left <= 0 or self.error is not None:
                    return done()
                self._changed.wait(timeout=left)
        return True

    def wait_quiet(self, quiet_s: float) -> None:
        """Wait until no byte came for `quiet_s`, or the port failed."""
        self.wait_until(lambda: False, quiet_s)

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                data = self._port.read(min(self._chunk, max(1, self._port.in_waiting)))
                if data:
                    self._take(data, time.monotonic())
            except Exception as e:
                with self._changed:
                    self.error = e
                    self._changed.notify_all()
                return
            if data:
                with self._changed:
                    self._last_s = time.monotonic()
                    self._changed.notify_all()
