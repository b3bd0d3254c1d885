"""Sends payload-sized probes: TCP messages one way through a door, ICMP echoes there and back."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec

ECHO_HEADERS = 14 + 20 + 8  # Ethernet, IPv4, ICMP (RFC 894, 791, 792)
MOST_ECHO_BYTES = 1400  # in one packet: small devices reassemble nothing
_SETTLE_S = 0.02  # between two probes: the link must be idle


class TcpProbe:
    """Holds a connection through a link with both ends in this process, so both are on one clock."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self._near, self._far = near, far

    def one_way_ms(self, way: str, message_bytes: int, timeout_s: float) -> float | None:
        """Return the time from handing over a message to having all of it, ms; None when it did not come in time."""
        sender, receiver = (self._near, self._far) if way == "up" else (self._far, self._near)
        time.sleep(_SETTLE_S)
        message = os.urandom(message_bytes)
        deadline = time.monotonic() + timeout_s
        began_ns = time.monotonic_ns()
        sender.sendall(message)
        left = message_bytes
        while left:
            receiver.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                got = receiver.recv(65_536)
            except TimeoutError:
                return None
            if not got:
                raise BenchError("the link closed the connection of a probe", cure="look at its log (-v)")
            left -= len(got)
        return (time.monotonic_ns() - began_ns) / 1e6


@contextmanager
def tcp_probe(door: Callable[[str, int], tuple[str, int]], timeout_s: float = 15.0) -> Iterator[TcpProbe]:
    """Make a probe through `door`, which is told where the far end listens (loopback) and says where to connect to.

    Raises:
        BenchError: no connection comes about.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(timeout_s)
        try:
            near = socket.create_connection(door(*listener.getsockname()[:2]), timeout_s)
            far, _ = listener.accept()
        except OSError as e:
            raise BenchError(f"no probe gets through the link ({e})", cure="raise its rate or lower its loss") from e
        with near, far:
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield TcpProbe(near, far)


def ideal_echo_ms(spec: LinkSpec, data_bytes: int) -> float:
    """Return what an ICMP echo of `data_bytes` takes there and back by the link alone, ms."""
    wire = data_bytes + ECHO_HEADERS
    return sum(wire * 8e3 / one.rate_bps + one.delay_ms for one in (spec.up, spec.down))


class EchoProbe:
    """Sends ICMP echoes (RFC 792) to a host behind the link, which measures a device that runs nothing of ours."""

    def __init__(self, host: str) -> None:
        try:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            self._socket.connect((host, 0))
        except OSError as e:
            raise BenchError(
                f"ICMP echoes to {host} can't be sent ({e})", cure="run as root, and check probe_host"
            ) from e
        self._number = os.getpid() & 0xFFFF
        self._sequence = 0

    def round_trip_ms(self, data_bytes: int, timeout_s: float) -> float | None:
        """Return the time there and back, ms; None when no answer came in time."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        time.sleep(_SETTLE_S)
        data = os.urandom(data_bytes)
        head = struct.pack("!BBHHH", 8, 0, 0, self._number, self._sequence)
        packet = struct.pack("!BBHHH", 8, 0, _checksum(head + data), self._number, self._sequence) + data
        began_ns = time.monotonic_ns()
        with contextlib.suppress(OSError):  # a host that is not there: as no answer
            self._socket.send(packet)
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                answer = self._socket.recv(65_536)
            except (TimeoutError, OSError):
                return None
            if self._mine(answer, data):
                return (time.monotonic_ns() - began_ns) / 1e6
        return None

    def _mine(self, packet: bytes, data: bytes) -> bool:
        """Say whether it is the answer to the last echo. Anything may arrive here."""
        if len(packet) < 28:
            return False
        at = (packet[0] & 15) * 4
        if len(packet) < at + 8:
            return False
        kind, _, _, number, sequence = struct.unpack_from("!BBHHH", packet, at)
        return (kind, number, sequence) == (0, self._number, self._sequence) and packet[at + 8 :] == data

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def _checksum(data: bytes) -> int:
    """Return the checksum of RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
