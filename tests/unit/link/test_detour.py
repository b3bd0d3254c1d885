"""User-space link and proxy as processes: bytes arrive whole, losses follow the seed, nothing stays behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness.contracts.errors import BenchError
from harness.contracts.link import Direction, LinkSpec
from harness.link.config import LinkSection
from harness.link.detour.link import DetourLink
from harness.link.make import link_for

pytestmark = pytest.mark.slow

KINDS = ("userspace", "proxy")
FAST = LinkSpec.symmetric(50e6)


@pytest.fixture(params=KINDS)
def link(request: pytest.FixtureRequest) -> Iterator[DetourLink]:
    if request.param == "userspace":
        request.getfixturevalue("namespaces")
    made = link_for(LinkSection(kind=request.param, on_deviation="flag", probes=3))
    assert isinstance(made, DetourLink)
    yield made
    made.close()


@contextmanager
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends back what it gets, connection after connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=back, args=(one,), daemon=True).start()

        def back(one: socket.socket) -> None:
            with one:
                while data := one.recv(65_536):
                    one.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[:2]
        listener.shutdown(socket.SHUT_RDWR)


def through(address: tuple[str, int], message: bytes) -> bytes:
    """Send, say that this was all, and read to the end."""
    with socket.create_connection(address, 60) as one:
        threading.Thread(target=lambda: (one.sendall(message), one.shutdown(socket.SHUT_WR)), daemon=True).start()
        got = bytearray()
        while data := one.recv(65_536):
            got += data
    return bytes(got)


def test_bytes_come_whole_and_ends_pass(link: DetourLink) -> None:
    message = os.urandom(2_000_000)
    with echo() as target:
        door = link.door(*target)
        assert door != target and link.door(*target) == door
        assert through(door, message) == message
        with link.applied(FAST):
            assert through(door, message[:200_000]) == message[:200_000]
            assert through(door, b"") == b""


def test_reads_back_what_it_was_told_and_certifies_it_once(link: DetourLink) -> None:
    spec = LinkSpec(up=Direction(rate_bps=20e6, delay_ms=2.0), down=Direction(rate_bps=50e6, jitter_ms=0.0))
    assert link.read_back() is None
    with link.applied(spec):
        assert link.read_back() == spec
        first = link.certificate
    assert link.read_back() is None
    assert first is not None and first.asked == first.installed == spec
    assert {(p.way, p.message_bytes) for p in first.probes} == {
        (w, n) for w in ("up", "down") for n in (100, 2000, 10_000)
    }
    assert all(p.least_ms is not None and p.least_ms >= p.ideal_ms for p in first.probes)  # never sooner than it can
    with link.applied(spec):
        assert link.certificate is first


def test_a_lossy_link_loses_and_tcp_brings_everything(link: DetourLink) -> None:
    message = os.urandom(30_000)
    with echo() as target, link.applied(LinkSpec.symmetric(50e6, 1.0, 0.5, 0.02)):
        assert through(link.door(*target), message) == message


def test_a_target_that_refuses_closes_the_connection(link: DetourLink) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[:2]
    with socket.create_connection(link.door(*nobody), 20) as one:
        one.settimeout(20)
        with suppress(ConnectionResetError):
            assert one.recv(10) == b""
    assert link.read_back() is None  # and the link lives on


def test_a_process_that_was_killed_is_told_of_and_clearing_never_raises(link: DetourLink) -> None:
    link.apply(FAST)
    assert link.pid is not None
    os.kill(link.pid, signal.SIGKILL)
    link.clear()
    with pytest.raises(BenchError, match="has ended"):
        link.read_back()
    link.close()
    link.close()


def test_packets_are_counted_and_lost_by_chance(namespaces: None) -> None:
    made = link_for(LinkSection(kind="userspace", on_deviation="flag", probes=3))
    assert isinstance(made, DetourLink)
    try:
        with made.applied(LinkSpec.symmetric(50e6)):
            count = made.counters()
            assert count["up"]["lost"] == count["down"]["lost"] == 0
            # 3 probes of 10,000 B are 7 segments each; a header of 66 B on every one, and none is glued to another
            assert count["up"]["packets"] >= 3 * 7
            assert count["up"]["bytes"] / count["up"]["packets"] <= 1514
        with made.applied(LinkSpec.symmetric(50e6, loss=0.1)):
            count = made.counters()
            assert 0.02 < sum(c["lost"] for c in count.values()) / sum(c["packets"] for c in count.values()) < 0.3
    finally:
        made.close()


STARTER = """
import sys, time
from harness.contracts.link import LinkSpec
from harness.link.config import LinkSection
from harness.link.detour.link import DetourLink
link = DetourLink(LinkSection(kind=sys.argv[1], on_deviation="flag", probes=3))
link.apply(LinkSpec.symmetric(50e6))
print(link.pid, *link.door("127.0.0.1", 9), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_kill_9_of_the_bench_takes_process_namespaces_and_devices_along(
    kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "userspace":
        request.getfixturevalue("namespaces")
    devices = _devices()
    bench = subprocess.Popen(
        [sys.executable, "-c", STARTER, kind],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )
    assert bench.stdout is not None
    pid, _, port = bench.stdout.readline().split()
    assert _namespaces(int(pid)) == (4 if kind == "userspace" else 1)  # ours, and one each for device, edge and wire
    bench.kill()
    bench.wait()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}/task").exists() and _state(pid) != "Z" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}/task").exists() or _state(pid) == "Z"
    # Its first thread can be gone a moment before the one that holds the door.
    while _answers(int(port)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _answers(int(port))
    assert _devices() == devices


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def _namespaces(pid: int) -> int:
    return len({(task / "ns/net").stat().st_ino for task in Path(f"/proc/{pid}/task").iterdir()})


def _state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _devices() -> list[str]:
    return sorted(line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:])
