"""Provides what the host plugs into: an RFC 2217 server, whose control lines reset the board, or a bare pty."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import threading
import time
import tty
from pathlib import Path
from typing import Any

from serial import rfc2217

from testbeds.esp32.standin.chip import Chip

log = logging.getLogger(__name__)

_WAIT_S = 0.2
_PAUSE_S = 0.05
_REBINDS = 10


class _Lines:
    """Provides what pyserial's RFC 2217 server wants of a port: settings that mean nothing here, and the lines."""

    cts = dsr = cd = True
    ri = rtscts = xonxoff = break_condition = False
    bytesize, parity, stopbits = 8, "N", 1

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._dtr = self._rts = False
        self.baudrate = 115_200

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, on: bool) -> None:
        self._dtr = bool(on)
        self._chip.lines(dtr=self._dtr, rts=self._rts)

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, on: bool) -> None:
        self._rts = bool(on)
        self._chip.lines(dtr=self._dtr, rts=self._rts)

    def reset_input_buffer(self) -> None:
        """Do nothing, because nothing is kept here."""

    def reset_output_buffer(self) -> None:
        """Do nothing, because nothing is kept here."""


class Rfc2217End:
    """Serves one host at a time on a loopback port (RFC 2217; Telnet by pyserial)."""

    def __init__(self, chip: Chip, port: int = 0) -> None:
        self._chip = chip
        self._server = socket.create_server(("127.0.0.1", port))
        self.address: tuple[str, int] = self._server.getsockname()[:2]
        self._connection: socket.socket | None = None
        self._manager: Any = None
        self._sending = threading.Lock()
        self._stop = threading.Event()
        self._here = threading.Event()
        self._here.set()
        chip.sinks.append(self._to_host)
        self._thread = threading.Thread(target=self._serve, name="esp32-rfc2217", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the URL that pyserial and esptool open."""
        return f"rfc2217://{self.address[0]}:{self.address[1]}"

    def vanish(self) -> None:
        """Pull the cable: the host's port fails, and can't be opened again until `appear`."""
        self._here.clear()
        self._server.close()
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def appear(self) -> None:
        """Plug the cable in again, at the same address."""
        for attempt in range(_REBINDS):
            if self._here.is_set():
                return
            try:
                self._server = socket.create_server(self.address)
                self._here.set()
            except OSError:  # the serving thread still has the old one in its hands
                if attempt == _REBINDS - 1:
                    raise
                time.sleep(_WAIT_S)

    def close(self) -> None:
        """Stop serving. It is safe to call this twice."""
        self._stop.set()
        self.vanish()
        self._here.set()
        self._thread.join(timeout=5)

    def write(self, data: bytes) -> None:
        """Send bytes to the host as they are: the Telnet server's answers."""
        with self._sending, contextlib.suppress(OSError):
            if self._connection is not None:
                self._connection.sendall(data)

    def _to_host(self, data: bytes) -> None:
        if self._manager is not None:
            self.write(b"".join(self._manager.escape(data)))

    def _serve(self) -> None:
        while not self._stop.is_set():
            if not self._here.wait(_WAIT_S):
                continue
            try:
                if not select.select([self._server], [], [], _WAIT_S)[0]:
                    continue
                connection, _ = self._server.accept()
            except (OSError, ValueError):  # closed by `vanish`
                continue
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        self._connection = connection
        self._manager = rfc2217.PortManager(_Lines(self._chip), self)
        try:
            while not self._stop.is_set():
                data = connection.recv(65536)
                if not data:
                    break
                plain = b"".join(self._manager.filter(data))
                if plain:
                    self._chip.feed(plain)
        except OSError as e:
            log.info("the host's connection broke: %s", e)
        finally:
            self._manager = self._connection = None


class PtyEnd:
    """Serves a pseudo terminal without control lines: the board's button is `Chip.reset`. Its path outlives `vanish`.

    Args:
        link: where a link to the device file is put.
    """

    def __init__(self, chip: Chip, link: Path) -> None:
        self._chip = chip
        self.path = link
        self._ends: tuple[int, int] | None = None  # master, slave
        self._stop = threading.Event()
        self._lock = threading.Lock()
        chip.sinks.append(self._to_host)
        self.appear()
        self._thread = threading.Thread(target=self._serve, name="esp32-pty", daemon=True)
        self._thread.start()

    def vanish(self) -> None:
        """Pull the cable: the host's port fails, and can't be opened again until `appear`."""
        with self._lock:
            self.path.unlink(missing_ok=True)
            ends, self._ends = self._ends, None
            for end in ends or ():
                os.close(end)

    def appear(self) -> None:
        """Plug the cable in again."""
        with self._lock:
            if self._ends is None:
                self._ends = os.openpty()
                tty.setraw(self._ends[1])
                os.set_blocking(self._ends[0], False)
                self.path.symlink_to(os.ttyname(self._ends[1]))

    def close(self) -> None:
        """Stop serving and remove the device. It is safe to call this twice."""
        self._stop.set()
        self._thread.join(timeout=5)
        self.vanish()

    def _to_host(self, data: bytes) -> None:
        """Send bytes to the host. What does not fit while nobody reads is lost, as on a line."""
        with self._lock, contextlib.suppress(OSError):
            while data and self._ends is not None:
                data = data[os.write(self._ends[0], data) :]

    def _serve(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                data = self._arrived() if self._ends is not None else b""
            if data:
                self._chip.feed(data)
            else:
                self._wait()

    def _arrived(self) -> bytes:
        try:
            return os.read(self._ends[0], 65536) if self._ends is not None else b""
        except OSError:
            return b""

    def _wait(self) -> None:
        ends = self._ends
        if ends is None:
            self._stop.wait(_PAUSE_S)
            return
        with contextlib.suppress(OSError, ValueError):  # closed by `vanish` meanwhile
            select.select([ends[0]], [], [], _WAIT_S)
