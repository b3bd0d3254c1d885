"""Serves USART1 as a pseudo-terminal that pyserial opens. Host bytes reach the guest only when it waits for them."""

from __future__ import annotations

import os
import select
import termios
import time
import tty

from harness.contracts.errors import BenchError

DELIMITER = 0  # ends a COBS frame
TEXT_S = 0.02  # typed text has no delimiter: it waits this long for more
FRAME_S = 2.0  # a frame's rest is on the way, however busy the host is; a shorter wait would show in the cycles
_TEXT = frozenset(range(0x20, 0x7F)) | frozenset(b"\r\n\t\b\x7f\x1b")
MAX_UNSENT = 1 << 20


class Console:
    """Holds a pty; `path` is what a serial program opens."""

    def __init__(self) -> None:
        try:
            self._master, self._slave = os.openpty()
        except OSError as e:
            raise BenchError(f"no pseudo-terminal can be opened ({e.strerror})", cure="mount /dev/pts") from e
        tty.setraw(self._slave)
        attributes = termios.tcgetattr(self._slave)
        attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._slave, termios.TCSANOW, attributes)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._incoming = bytearray()
        self._since = 0.0  # when the oldest fragment came
        self._outgoing = bytearray()

    def fileno(self) -> int:
        return self._master

    # --- to the guest ---
    def receive(self) -> None:
        """Take in what the host has written, without ever waiting."""
        while select.select([self._master], [], [], 0)[0]:
            try:
                data = os.read(self._master, 4096)
            except (BlockingIOError, OSError):
                return
            if not data:
                return
            if not self._incoming:
                self._since = time.monotonic()
            self._incoming += data

    def frame(self) -> bytes:
        """Return the next whole frame, or a fragment that nothing follows; empty when there is none yet."""
        end = self._incoming.find(DELIMITER)
        if end < 0:
            if not self._incoming or time.monotonic() - self._since < self._fragment_s():
                return b""
            end = len(self._incoming) - 1
        frame = bytes(self._incoming[: end + 1])
        del self._incoming[: end + 1]
        self._since = time.monotonic()
        return frame

    def forget(self) -> None:
        """Drop what the host has sent for the guest that was, and what that guest has sent."""
        self.receive()
        self._incoming.clear()
        self._outgoing.clear()

    def patience(self) -> float | None:
        """Return how long the host may be waited for before `frame` has something; None means for ever."""
        return max(0.001, self._fragment_s() - (time.monotonic() - self._since)) if self._incoming else None

    def _fragment_s(self) -> float:
        """Return how long bytes without a delimiter wait for more. A frame's second byte, its version, is not text."""
        return TEXT_S if _TEXT.issuperset(self._incoming) else FRAME_S

    # --- from the guest ---
    def send(self, byte: int) -> None:
        """Take a byte from the guest; it goes out with the frame's end or with `flush`."""
        self._outgoing.append(byte)
        if byte == DELIMITER or len(self._outgoing) >= 1024:
            self.flush()

    def flush(self) -> None:
        """Hand the host what is left. What nobody reads is kept, up to a bound, then the oldest is dropped."""
        while self._outgoing:
            try:
                done = os.write(self._master, self._outgoing)
            except BlockingIOError:
                break
            del self._outgoing[:done]
        if len(self._outgoing) > MAX_UNSENT:
            del self._outgoing[: len(self._outgoing) - MAX_UNSENT]

    @property
    def unsent(self) -> bool:
        return bool(self._outgoing)

    def close(self) -> None:
        for fd in (self._master, self._slave):
            os.close(fd)
