"""Runs as root inside user-mode Linux, a kernel that has netem: the real commands on a small access point.

`ap0` is the access point's interface in the root namespace, the station lives in a namespace behind it. What was seen
goes to the file named by the first argument as JSON; with a second one, `measure`, one-way times too (a minute).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from harness.contracts.errors import BenchError
from harness.contracts.link import Direction, LinkSpec
from harness.link import leftovers, netem
from harness.link.certificate import certify, judged
from harness.link.commands import Commands
from harness.link.config import LinkSection
from harness.link.detour.namespaces import NetNamespace
from harness.link.kernel import NetemLink
from harness.link.probes import TcpProbe

_FINIT_MODULE = 313  # x86-64, the only one that Debian builds it for
AP, STATION = "198.18.1.1", "198.18.1.2"
SECTION = LinkSection(kind="netem", interface="ap0", probe_host=STATION, on_deviation="flag", probes=3)
ODD = LinkSpec(
    up=Direction(rate_bps=270_000, delay_ms=12.5, jitter_ms=2.0, loss=0.01, limit_packets=50),
    down=Direction(rate_bps=6_000_000, delay_ms=3.0, jitter_ms=1.0, distribution="uniform", limit_packets=77),
)
UNMEASURED = LinkSection(kind="netem", interface="ap0", on_deviation="flag")


def load_modules() -> None:
    """As insmod(8), which need not be installed."""
    libc = ctypes.CDLL(None, use_errno=True)
    for path in os.environ["UML_MODULES"].split(os.pathsep):
        with open(path, "rb") as f:  # noqa: PTH123 - its number is wanted
            if libc.syscall(_FINIT_MODULE, f.fileno(), b"", 0):
                raise OSError(ctypes.get_errno(), f"{path}: {os.strerror(ctypes.get_errno())}")


def station() -> NetNamespace:
    """The access point's network: what a laptop and one board are."""
    do = Commands().do
    ns = NetNamespace("station")
    do("ip", "link", "set", "dev", "lo", "up")
    do("ip", "link", "add", "name", "ap0", "type", "veth", "peer", "name", "sta0", "netns", str(ns.tid))
    do("ip", "address", "add", f"{AP}/24", "dev", "ap0")
    do("ip", "link", "set", "dev", "ap0", "up")

    def inside() -> None:
        do("ip", "address", "add", f"{STATION}/24", "dev", "sta0")
        do("ip", "link", "set", "dev", "sta0", "gso_max_segs", "1", "up")  # a radio sends segments one by one

    ns.run(inside)
    return ns


def state() -> dict[str, Any]:
    """What is on ap0 and which devices of ours there are."""
    ask = Commands().ask
    link = ask("ip", "-j", "-d", "link", "show", "dev", "ap0")[0]
    return {
        "qdiscs": [q["kind"] for q in ask("tc", "-j", "qdisc", "show", "dev", "ap0")],
        "ours": [d["ifname"] for d in ask("ip", "-j", "link", "show") if d["ifname"].startswith(netem.PREFIX)],
        "gso_max_segs": link["gso_max_segs"],
    }


def connected(ns: NetNamespace) -> TcpProbe:
    """Station to access point: the near end is the device's."""
    with socket.create_server((AP, 0)) as listener:
        near = ns.run(lambda: socket.create_connection(listener.getsockname()[:2], 20))
        far, _ = listener.accept()
    for one in (near, far):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return TcpProbe(near, far)


def measured(ns: NetNamespace, rate_bps: float) -> list[dict[str, Any]]:
    """One-way TCP messages in both directions over a link of this rate."""
    link, spec = NetemLink(SECTION), LinkSpec.symmetric(rate_bps, 2.0)
    out = []
    with link.applied(spec):
        probe = connected(ns)
        for way in ("up", "down"):
            for size in (100, 2000, 10_000):
                ideal = spec.ideal_ms(way, size)
                times = [probe.one_way_ms(way, size, 10.0) for _ in range(5)]
                out.append(judged(SECTION, spec, way, size, times, ideal))
        seen = link.certificate
        certify(SECTION, spec, link.read_back(), out)
    assert seen is not None
    return [p.model_dump() for p in (*out, *seen.probes)]


def shaping() -> int:
    """A process that shapes ap0 until it is killed; its number."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        NetemLink(UNMEASURED).apply(LinkSpec.symmetric(1e6, 5.0))
        os.write(writing, b"applied")
        while True:
            time.sleep(600)
    os.close(writing)
    assert os.read(reading, 7) == b"applied"
    os.close(reading)
    return child


def kill(process: int) -> None:
    """As `kill -9`."""
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def killed() -> dict[str, Any]:
    """A run that shapes ap0 is killed; the next one finds what it left."""
    holder = shaping()
    busy = "nobody told"
    try:
        NetemLink(UNMEASURED).apply(LinkSpec.symmetric(2e6))
    except BenchError as e:
        busy = str(e)
    kill(holder)
    left = state()
    said = leftovers.sweep(Commands())
    swept = state()
    kill(shaping())
    for record in leftovers.locks.folder().glob("link-*.json"):
        record.unlink()  # and without a record, by our names alone
    by_name = leftovers.sweep(Commands())
    return {"busy": busy, "left": left, "said": said, "swept": swept, "by_name": by_name, "at_last": state()}


def main() -> None:
    """Everything, timed."""
    began = time.monotonic()
    load_modules()
    ns = station()
    found: dict[str, Any] = {"kernel": os.uname().release, "before": state()}
    NetemLink(SECTION).check(ODD)
    link = NetemLink(SECTION)
    with link.applied(ODD):
        read = link.read_back()
        certificate = link.certificate
        assert read is not None and certificate is not None
        found["read"], found["asked"] = read.model_dump(), ODD.model_dump()
        found["argv"], found["verdict"] = certificate.argv, certificate.verdict
        found["probes"] = [str(p) for p in certificate.probes]
        found["during"] = state()
    found["after"] = state()
    if "measure" in sys.argv:
        found["probed"] = {str(rate): measured(ns, rate) for rate in (270e3, 1e6, 6e6, 20e6)}
    found["killed"] = killed()
    found["seconds"] = time.monotonic() - began
    Path(sys.argv[1]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
