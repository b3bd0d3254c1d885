"""Provides ways to a device that need no board: in this process for tests and dry runs, or on a pty that pyserial
opens.
"""

from __future__ import annotations

import os
import pty
import select
import threading
import tty

from harness.contracts.clock import Clock
from harness.mlperf.faults import Engine


class StepClock(Clock):
    """Is a clock that others move."""

    kind = "virtual"

    def __init__(self) -> None:
        self._now_ms = 0.0

    def now_ms(self) -> float:
        return self._now_ms

    def pass_ms(self, duration_ms: float) -> None:
        """Let time pass."""
        self._now_ms += duration_ms


class LoopPort:
    """Is a serial port with the device in this process; waiting for bytes that won't come takes only virtual time."""

    def __init__(self, device: Engine, clock: StepClock) -> None:
        self.timeout: float | None = None
        self._device = device
        self._clock = clock
        self._inbox = bytearray(device.boot())

    @property
    def in_waiting(self) -> int:
        return len(self._inbox)

    def read(self, size: int = 1) -> bytes:
        data = bytes(self._inbox[:size])
        del self._inbox[:size]
        if not data:
            self._clock.pass_ms((self.timeout or 0.0) * 1e3)
        return data

    def write(self, data: bytes) -> int:
        self._inbox += self._device.feed(data)
        return len(data)

    def reset_input_buffer(self) -> None:
        self._inbox.clear()

    def close(self) -> None:
        self._inbox.clear()


class PtyDevice:
    """Serves a device on a pty from a thread of its own; `path` is what pyserial opens."""

    def __init__(self, device: Engine) -> None:
        self._device = device
        self._closed = False
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="eembc stand-in", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and give the pty back. It is safe to call this twice."""
        if self._closed:  # by now the numbers may belong to other files
            return
        self._closed = True
        os.write(self._wake_write, b"x")
        self._thread.join(timeout=5)
        for descriptor in (self._master, self._slave, self._wake_read, self._wake_write):
            os.close(descriptor)

    def __enter__(self) -> PtyDevice:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        self._send(self._device.boot())
        while True:
            ready, _, _ = select.select([self._master, self._wake_read], [], [])
            if self._wake_read in ready:
                return
            try:
                data = os.read(self._master, 4096)
            except OSError:  # the pty is gone
                return
            self._send(self._device.feed(data))

    def _send(self, data: bytes) -> None:
        while data:
            ready, writable, _ = select.select([self._wake_read], [self._master], [])
            if ready or not writable:
                return
            data = data[os.write(self._master, data) :]
