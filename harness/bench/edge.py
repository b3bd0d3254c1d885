"""`python -m harness.bench edge`: measure service times of the edge server per scheme, against its bare model in a
loop.
"""

from __future__ import annotations

import gc
import json
import queue
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from harness.analysis import stats
from harness.artefacts import images
from harness.broker import managed as broker
from harness.broker import mqtt
from harness.broker.listener import listening
from harness.broker.managed import Broker
from harness.contracts.description import DESCRIPTION, DeviceDescription, load_description
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.edge import launch
from harness.edge.payload import HEADER_BYTES, Status, parse
from harness.edge.server import EdgeServer, Served, load
from harness.host import registry
from harness.host.cli import Parser, add_common, add_data_dir, console, set_up_logging, whole

WARM_UP = 50  # calls of each before the first that counts
REPLY_S = 20.0
NOTE = (
    "measured, wall time on this host, real payloads of test pictures, one thread. bare: the model called with its "
    "symbols; serve: payload in, reply out (header, CRC, decoding, model), both turn by turn in one process; over: "
    "median of the differences, in wall time and in processor time (which a busy host does not stretch). told: service "
    "time by the edge's own process behind a broker; trip: from publish to reply, one request at a time."
)


@dataclass(frozen=True)
class Times:
    """Holds the microseconds of many calls."""

    values: tuple[float, ...]

    def p(self, q: float) -> str:
        """Return a percentile in ms as text; where n does not carry it, say that."""
        value = stats.median(self.values) if q == 50 else stats.percentile(self.values, q)
        return "n too small" if value is None else f"{value / 1e3:.3f}"


@dataclass(frozen=True)
class Serving:
    """Holds one scheme's times: of the bare model, of the server around it, and of both behind a broker."""

    scheme: str
    codec: str
    payload_bytes: float
    bare: Times
    serve: Times
    overheads: Times  # of processor time, call by call
    behind: Times
    round_trip: Times

    @property
    def overhead_us(self) -> float:
        """Return the median of what serving a request takes beyond the model's call for the same symbols, wall time."""
        return float(np.median(np.subtract(self.serve.values, self.bare.values)))


def main(argv: list[str]) -> int:
    """Run the command."""
    p = Parser(prog="python -m harness.bench edge", description=__doc__)
    p.add_argument(
        "--weights", type=Path, metavar="DIR", help="a scheme's folder or one of several (default: CIFAR-10, compact)"
    )
    p.add_argument("--calls", type=whole(10, 1_000_000, "--calls"), default=1000, help="of each kind (%(default)s)")
    p.add_argument("--images", type=whole(1, 10_000, "--images"), default=100, help="test pictures asked (%(default)s)")
    add_data_dir(p)
    add_common(p)
    args = p.parse_args(argv)
    set_up_logging(args.verbose)
    show(measure(_folders(args.weights or weights_dir() / "cifar10-compact"), args.calls, args.images))
    return 0


def _folders(given: Path) -> list[Path]:
    """Return the artefact folders that offload: `given` itself, or those in it."""
    inside = sorted(path.parent for path in given.glob(f"*/{DESCRIPTION}"))
    found = [given] if (given / DESCRIPTION).exists() else inside
    offloading = [folder for folder in found if load_description(folder).offload != "none"]
    if not offloading:
        raise BenchError(f"no scheme that offloads in {given}", cure="give a folder of trained schemes by --weights")
    return offloading


def measure(folders: Sequence[Path], calls: int, count: int) -> list[Serving]:
    """Measure each scheme in turn, `calls` times over payloads of `count` test pictures.

    Raises:
        BenchError: weights, data set or broker are not to be had, or an answer is not the model's.
    """
    from testbeds.firmware.host.hostlib import codec_library  # noqa: PLC0415 - compiles

    asked = {folder: _payloads(folder, load_description(folder), count) for folder in folders}
    root = f"agile/{secrets.token_hex(4)}"
    out = []
    with broker.running() as own, launch.running(folders, own.entered_by("edge"), root) as edge:
        edge.calibrated()
        behind = {folder: _behind(own, root, data, calls) for folder, data in asked.items()}
        edge.check()
    for folder in folders:
        served = load(folder, registry.scheme(load_description(folder).scheme))
        if served is None:
            continue
        server = EdgeServer([served], codec_library())
        bare, serve, overheads = _in_turn(server, served, _symbols(server, served, asked[folder]), asked[folder], calls)
        told, trips = behind[folder]
        size = float(np.mean([len(data) for data in asked[folder]]))
        out.append(
            Serving(served.description.scheme, served.description.codec, size, bare, serve, overheads, told, trips)
        )
    return out


def _payloads(folder: Path, d: DeviceDescription, count: int) -> list[bytes]:
    """Return what the device sends for test pictures."""
    from testbeds.firmware.host.schemelib import HostLibrary  # noqa: PLC0415
    from testbeds.firmware.toolchain.build import build  # noqa: PLC0415 - compiles

    device, pictures = HostLibrary(build(folder, "host")), images.load(d.dataset).fitting(d).pictures[:count]
    out = []
    for sequence, picture in enumerate(pictures):
        device.run_local(picture)
        out.append(device.message(sequence))
    return out


def _symbols(server: EdgeServer, served: Served, payloads: Sequence[bytes]) -> list[Any]:
    return [server.symbols(served, data) for data in payloads]


def _in_turn(
    server: EdgeServer, served: Served, symbols: Sequence[Any], payloads: Sequence[bytes], calls: int
) -> tuple[Times, Times, Times]:
    """Call bare model and server turn by turn, which one first alternating: whatever slows the host slows both."""
    bare, serve, overheads = [], [], []
    gc.collect()
    for i in range(WARM_UP + calls):
        one, data = symbols[i % len(symbols)], payloads[i % len(payloads)]
        took, worked = {}, {}
        for kind in ("bare", "serve") if i % 2 else ("serve", "bare"):
            begin_ns, worked_ns = time.perf_counter_ns(), time.process_time_ns()
            if kind == "bare":
                logits = served.model.infer(one)
            else:
                answer = server.answer(data)
            took[kind] = (time.perf_counter_ns() - begin_ns) / 1e3
            worked[kind] = (time.process_time_ns() - worked_ns) / 1e3
        if answer.status is not Status.OK or answer.data[HEADER_BYTES:] != logits.astype("<f4").tobytes():
            raise BenchError(f"{served.description.label}: the server's answer is not the model's")
        if i >= WARM_UP:
            bare.append(took["bare"])
            serve.append(took["serve"])
            overheads.append(worked["serve"] - worked["bare"])
    return Times(tuple(bare)), Times(tuple(serve)), Times(tuple(overheads))


def _behind(own: Broker, root: str, payloads: Sequence[bytes], calls: int) -> tuple[Times, Times]:
    """Ask the edge's process as a device does: one request at a time over the broker."""
    heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
    prefix = f"{root}/00"
    device = mqtt.client(own.entered_by("board"), f"device-{secrets.token_hex(4)}")
    mqtt.connect(device, own.entered_by("board"))
    device.loop_start()
    topics = [f"{prefix}/down", f"{prefix}/service"]

    def hear(topic: str, data: bytes) -> None:
        heard.put((topic.rpartition("/")[2], data))

    told, trips = [], []
    try:
        with listening(own.address, "bench-services", topics, hear):
            for i in range(WARM_UP + calls):
                begin_ns = time.perf_counter_ns()
                device.publish(f"{prefix}/up", payloads[i % len(payloads)])
                header, _ = parse(_next(heard, "down"))
                trip_us = (time.perf_counter_ns() - begin_ns) / 1e3
                account = json.loads(_next(heard, "service"))
                if header.kind != Status.OK:
                    raise BenchError(f"the edge refuses what the device sends ({Status(header.kind).name})")
                if i >= WARM_UP:
                    told.append(float(account["service_us"]))
                    trips.append(trip_us)
    finally:
        device.disconnect()
        device.loop_stop()
    return Times(tuple(told)), Times(tuple(trips))


def _next(heard: queue.Queue[tuple[str, bytes]], kind: str) -> bytes:
    try:
        got, data = heard.get(timeout=REPLY_S)
    except queue.Empty:
        raise BenchError(f"the edge said nothing for {REPLY_S:.0f} s", cure="is the machine overloaded?") from None
    if got != kind:
        raise BenchError(f"the edge said '{got}' where '{kind}' was due")
    return data


def show(found: Sequence[Serving]) -> None:
    """Print the table."""
    table = Table(title=f"The edge server, {len(found[0].bare.values):,} calls of each kind; ms", caption=NOTE)
    for number, name in enumerate(
        (
            *("scheme", "codec", "payload B", "bare p50", "p99", "serve p50", "p99", "over", "CPU"),
            *("told p50", "p99", "trip p50", "p99"),
        )
    ):
        table.add_column(name, justify="right" if number > 1 else "left", no_wrap=number == 0)
    for s in found:
        times = [time.p(q) for time in (s.bare, s.serve) for q in (50, 99)]
        after = [time.p(q) for time in (s.behind, s.round_trip) for q in (50, 99)]
        table.add_row(
            s.scheme,
            s.codec,
            f"{s.payload_bytes:,.0f}",
            *times,
            f"{s.overhead_us / 1e3:.3f}",
            s.overheads.p(50),
            *after,
        )
    console().print(table)
