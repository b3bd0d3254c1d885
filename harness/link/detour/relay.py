"""Relays bytes between two TCP connections, in one loop with everything else; a delay line is between them where
wanted.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import socket
import time
from collections.abc import Callable
from typing import Literal

from harness.contracts.tcp_line import TcpLine

log = logging.getLogger(__name__)

_CHUNK = 1 << 18
_MOST = 1 << 20  # bytes that wait for a slow reader before we stop reading for it

Way = Literal["up", "down"]


class Delays:
    """Puts chunks on a TcpLine in host time: what a proxy without packets can do. All its connections share the
    line.
    """

    def __init__(self) -> None:
        self.line = TcpLine(10**9)
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0

    def send(self, way: Way, size: int, deliver: Callable[[], None], give_up: Callable[[], None]) -> None:
        """Take a chunk of `size` bytes now; `deliver` is called when it arrives."""
        passage = self.line.send(way, size, time.monotonic_ns())
        self.after(passage.arrived, give_up if passage.lost else deliver)

    def after(self, at_ns: int, what: Callable[[], None]) -> None:
        """Call `what` after that time."""
        self._order += 1
        heapq.heappush(self._due, (at_ns, self._order, what))

    def next_ns(self) -> int | None:
        """Return when something is due."""
        return self._due[0][0] if self._due else None

    def run_due(self) -> None:
        """Do what is due."""
        while self._due and self._due[0][0] <= time.monotonic_ns():
            heapq.heappop(self._due)[2]()


class Half:
    """Holds one connection of a pair: what has come for it and is not sent yet."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unsent = bytearray()
        self.ended = False  # its peer has no more for it
        self.shut = False
        self.finished = False  # it has no more for its peer

    def put(self, data: bytes) -> None:
        """Send bytes as soon as it goes."""
        self.unsent += data
        self.flush()

    def end(self) -> None:
        """Note that nothing more will come for it."""
        self.ended = True
        self.flush()

    def flush(self) -> None:
        """Send what goes without waiting. Raises OSError when the connection broke."""
        while self.unsent:
            try:
                sent = self.sock.send(memoryview(self.unsent)[:_CHUNK])
            except (BlockingIOError, InterruptedError):
                return
            del self.unsent[:sent]
        if self.ended and not self.shut:
            self.shut = True
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)


class Pair:
    """Holds two connections, each other's peer. `near` is the device's side."""

    def __init__(self, near: socket.socket, far: socket.socket, delays: Delays | None) -> None:
        self.near, self.far = Half(near), Half(far)
        self._delays = delays
        self.closed = False
        for half in (self.near, self.far):
            half.sock.setblocking(False)
            half.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def readers(self) -> list[Half]:
        """Return those whose bytes are wanted now."""
        return [h for h in (self.near, self.far) if not h.finished and len(self._other(h).unsent) < _MOST]

    def writers(self) -> list[Half]:
        """Return those that wait until they can send."""
        return [h for h in (self.near, self.far) if h.unsent]

    def _other(self, half: Half) -> Half:
        return self.far if half is self.near else self.near

    def readable(self, half: Half) -> None:
        """Take bytes, or an end, that have come."""
        other, way = self._other(half), self._way(half)
        try:
            data = half.sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as e:
            log.debug("a connection broke: %s", e)
            self.close()
            return
        half.finished = not data
        if self._delays is None:
            self._hand(other, data)
        elif data:
            self._delays.send(way, len(data), lambda: self._hand(other, data), self.close)
        else:
            self._delays.send(way, 0, lambda: self._hand(other, b""), self.close)

    def _way(self, half: Half) -> Way:
        return "up" if half is self.near else "down"

    def _hand(self, half: Half, data: bytes) -> None:
        if self.closed:
            return
        try:
            half.put(data) if data else half.end()
        except OSError as e:
            log.debug("a connection broke: %s", e)
            self.close()
        if self.near.shut and self.far.shut:
            self.close()

    def writable(self, half: Half) -> None:
        """Send on, as it can send again."""
        try:
            half.flush()
        except OSError as e:
            log.debug("a connection broke: %s", e)
            self.close()

    def close(self) -> None:
        """Close both. It is safe to call this twice."""
        self.closed = True
        for half in (self.near, self.far):
            half.unsent.clear()
            half.sock.close()
