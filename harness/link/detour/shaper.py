"""Forwards packets between two raw sockets, each charged by `harness.contracts.queueing`, in host time."""

from __future__ import annotations

import contextlib
import heapq
import socket
import time
from typing import Any, Final, Literal

from harness.contracts.link import WAYS, LinkSpec
from harness.contracts.queueing import Queue
from harness.link.detour.wire import Wire

_SECOND: Final = 10**9  # ns
_LARGEST = 65_600
_AT_ONCE = 64  # packets, before anything else gets its turn


class PacketShaper:
    """Forwards both ways; it is unshaped until told otherwise."""

    def __init__(self, wire: Wire) -> None:
        self._ways: dict[str, tuple[socket.socket, socket.socket]] = {
            "up": (wire.up, wire.down),
            "down": (wire.down, wire.up),
        }
        self.spec: LinkSpec | None = None
        self._queues: dict[str, Queue] = {}
        self._due: list[tuple[int, int, socket.socket, bytes]] = []  # a heap by time, then order
        self._order = 0
        self.counters = {way: {"packets": 0, "bytes": 0, "lost": 0} for way in WAYS}

    def apply(self, spec: LinkSpec | None, seed: int) -> None:
        """Apply a spec from the next packet on. Those on their way keep their times."""
        self.spec = spec
        self._queues = {} if spec is None else {w: Queue(spec.direction(w), _SECOND, f"{seed} {w}") for w in WAYS}
        self.counters = {way: {"packets": 0, "bytes": 0, "lost": 0} for way in WAYS}

    def sockets(self) -> dict[socket.socket, Literal["up", "down"]]:
        """Return what to wait for."""
        return {self._ways[way][0]: way for way in WAYS}

    def readable(self, way: Literal["up", "down"]) -> None:
        """Take packets that have come."""
        source, target = self._ways[way]
        count, queue = self.counters[way], self._queues.get(way)
        for _ in range(_AT_ONCE):
            try:
                packet, address = source.recvfrom(_LARGEST)
            except OSError:  # nothing more, or the device is going
                return
            if address[2] == socket.PACKET_OUTGOING:  # type: ignore[attr-defined,unused-ignore]
                continue
            count["packets"] += 1
            count["bytes"] += len(packet)
            if queue is None:
                _send(target, packet)
                continue
            leaves = queue.offer(len(packet), time.monotonic_ns())
            if leaves is None:
                count["lost"] += 1
                continue
            self._order += 1
            heapq.heappush(self._due, (leaves, self._order, target, packet))

    def next_ns(self) -> int | None:
        """Return when the next packet leaves; None when nothing waits."""
        return self._due[0][0] if self._due else None

    def run_due(self) -> None:
        """Send what is due."""
        while self._due and self._due[0][0] <= time.monotonic_ns():
            _, _, target, packet = heapq.heappop(self._due)
            _send(target, packet)

    def told(self) -> dict[str, Any]:
        """Return the counters since the last change (JSON-able)."""
        return {way: dict(count) for way, count in self.counters.items()}


def _send(target: socket.socket, packet: bytes) -> None:
    with contextlib.suppress(OSError):  # a full buffer drops, as a full air would
        target.send(packet)
