"""Runs an instrument on a pty: a thread that answers bytes, sends streams of any length, and can be unplugged."""

from __future__ import annotations

import os
import select
import threading
import tty
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

_CHUNK = 1 << 15


class PtyInstrument(ABC):
    """Serves `answer` on a pty whose far end is at `path`. Use as a context manager, or `close()` it."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._ending = threading.Event()
        self._plugged = True
        self._thread = threading.Thread(target=self._serve, name=type(self).__name__, daemon=True)
        self._thread.start()

    @abstractmethod
    def answer(self, data: bytes) -> None:
        """Answer `data`, which the host sent; this runs in the instrument's thread."""

    def work(self) -> None:  # noqa: B027 - most instruments only answer
        """Do the work that `wake()` asked for; this runs in the instrument's thread."""

    def wake(self) -> None:
        """Have `work` called soon. Any thread may call this."""
        os.write(self._wake_write, b"w")

    def send(self, data: bytes) -> bool:
        """Send all of `data`, as fast as the host reads; return False when unplugged or closed meanwhile."""
        view = memoryview(data)
        while view and self._plugged and not self._ending.is_set():
            _, writable, _ = select.select([], [self._master], [], 0.05)
            if writable:
                try:
                    view = view[os.write(self._master, view[:_CHUNK]) :]
                except BlockingIOError:
                    continue
        return not view

    def unplug(self) -> None:
        """Pull the cable: the host's next read fails. Only the instrument's own thread may call this."""
        if self._plugged:
            self._plugged = False
            os.close(self._slave)
            os.close(self._master)

    def close(self) -> None:
        """End the thread and give the pty back. It is safe to call this twice."""
        if self._ending.is_set():
            return
        self._ending.set()
        self.wake()
        self._thread.join(timeout=10.0)
        self.unplug()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        while not self._ending.is_set():
            watched = [self._wake_read, self._master] if self._plugged else [self._wake_read]
            readable, _, _ = select.select(watched, [], [], 1.0)
            if self._wake_read in readable:
                os.read(self._wake_read, 4096)
                self.work()
            if self._plugged and self._master in readable:
                try:
                    data = os.read(self._master, 4096)
                except (BlockingIOError, OSError):
                    continue
                self.answer(data)
