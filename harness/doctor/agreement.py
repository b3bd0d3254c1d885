"""Compares the virtual link with real sockets: the emulated board with its clock on the host's, through a detour link.

Two runs of one image on one emulated board. In the first the link is the board's own, in virtual time. In the second
that one is unshaped and the board charges the time that passes on this host: its packets go through the user-space link
(real TCP, real veth) to the real broker, an echo answers, the answer comes back the same way. What is compared is the
`network` stage: waiting time less what the echo itself took. Virtual time never charges broker and loopback, so what
they take is measured too, by a board that goes to the broker directly, and taken off.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho

from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.broker import managed as broker
from harness.broker import mqtt
from harness.contracts import scratch
from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.contracts.testbed import Network
from harness.device.bringup import Board, State
from harness.edge import services
from harness.edge.payload import HEADER_BYTES, Status, reply, sequence_of
from harness.edge.services import Services
from harness.host import registry
from harness.link.config import LinkSection
from harness.link.detour.link import DetourLink
from harness.measure.inference import measure
from harness.runs.sample import Planned, Point

RATES_BPS = (270e3, 1e6, 6e6, 20e6)
SIZES_BYTES = (100, 2000, 10_000, 20_000)
ALLOWED_MS, ALLOWED_SHARE = 1.0, 0.05
_CLASSES = 10
_ROOT = "agree"
_DESCRIPTION = """
scheme = "full_offload"
dataset = "probe"
profile = "p{side}"
classes = {classes}
input_shape = [{side}, {side}, 3]
graph = false
offload = "image"
features_output = -1
local_logits_output = -1
codec = "stored"
alpha = 0.0
"""


@dataclass(frozen=True)
class Agreement:
    """Holds one size at one rate: `network` stages in ms, medians and quickest of n."""

    rate_bps: float
    payload_bytes: int
    virtual_ms: float
    real_ms: float
    real_least_ms: float
    broker_ms: float  # broker, echo and loopback without any link
    broker_least_ms: float
    n: int

    @property
    def off_ms(self) -> float:
        """Return by how much the real link takes longer, broker and loopback taken off, ms."""
        return self.real_ms - self.broker_ms - self.virtual_ms

    @property
    def off_least_ms(self) -> float:
        """Return the same of the quickest: what a host that is busy with something else does not touch."""
        return self.real_least_ms - self.broker_least_ms - self.virtual_ms

    @property
    def allowed_ms(self) -> float:
        """Return how far apart the two may be, ms."""
        return ALLOWED_MS + ALLOWED_SHARE * self.virtual_ms

    @property
    def ok(self) -> bool:
        """Say whether they agree. The quickest decide: the links are compared, not the load of this host."""
        return abs(self.off_least_ms) <= self.allowed_ms


def compare(
    kind: str = "userspace",
    rates_bps: Sequence[float] = RATES_BPS,
    sizes_bytes: Sequence[int] = SIZES_BYTES,
    n: int = 9,
) -> Iterator[Agreement]:
    """Compare at every size and rate, and yield each as it is measured.

    Raises:
        BenchError: no link of this kind, no compiler, no broker, or a sample that failed.
    """
    link = DetourLink(LinkSection.model_validate({"kind": kind, "on_deviation": "flag", "probes": 3}))
    with broker.running() as own, scratch.folder("agree") as folder, closing(link):
        host, port = link.door(own.address.host, own.address.port)
        with services.listening(own.address, _ROOT) as heard:
            for size in sizes_bytes:
                artefact = _artefact(Path(folder), size)
                with _echo(own.entered_by("edge"), artefact):
                    with _board(artefact, _network(own.entered_by("board"))) as board:
                        virtual = [_virtual_ms(board, heard, LinkSpec.symmetric(rate)) for rate in rates_bps]
                        own_ms = _virtual_ms(board, heard, None)
                        bare = [t - own_ms for t in _real_ms(board, heard, n)]
                    with _board(artefact, _network(replace(own.entered_by("board"), host=host, port=port))) as board:
                        for rate_bps, virtual_ms in zip(rates_bps, virtual, strict=True):
                            with link.applied(LinkSpec.symmetric(rate_bps)):
                                real = _real_ms(board, heard, n)
                            yield Agreement(
                                rate_bps,
                                artefact.description.image_bytes + HEADER_BYTES,
                                virtual_ms,
                                statistics.median(real),
                                min(real),
                                statistics.median(bare),
                                min(bare),
                                n,
                            )


def _network(address: mqtt.BrokerAddress) -> Network:
    return Network(
        address.host,
        address.port,
        f"{_ROOT}/00",
        "board-agree",
        mqtt_user=address.user,
        mqtt_password=address.password,
    )


def _virtual_ms(board: Board, heard: Services, link: LinkSpec | None) -> float:
    return _network_ms(board, heard, link, pinned_ms=0.0)


def _real_ms(board: Board, heard: Services, n: int) -> list[float]:
    """Measure with the board's own link unshaped; it charges what passes on this host."""
    _network_ms(board, heard, None, pinned_ms=None)  # the first one warms caches of host and broker
    return [_network_ms(board, heard, None, pinned_ms=None) for _ in range(n)]


def _network_ms(board: Board, heard: Services, link: LinkSpec | None, *, pinned_ms: float | None) -> float:
    shape = board.artefact.description.input_shape
    picture = np.random.default_rng(shape[0]).integers(0, 256, shape, dtype=np.uint8)
    point = Point("full_offload", "probe", board.artefact.description.profile, "virtual", None)
    planned = Planned(0, point, 0, False, 0)
    row = measure(board, planned, picture, 0, link=link, pinned_ms=pinned_ms, services=heard)
    return float(row["network_ms"])


def _artefact(folder: Path, size_bytes: int) -> Artefact:
    """Return a scheme that sends a picture of about `size_bytes` as it is."""
    side = max(2, round(((size_bytes - HEADER_BYTES) / 3) ** 0.5))
    where = folder / f"{side}"
    where.mkdir()
    (where / "description.toml").write_text(_DESCRIPTION.format(side=side, classes=_CLASSES))
    (where / "server.npz").write_bytes(b"an echo needs no weights")
    return artefacts.load(where)


@contextmanager
def _board(artefact: Artefact, network: Network) -> Iterator[Board]:
    from testbeds.firmware.toolchain.build import build  # noqa: PLC0415 - found late, like every testbed

    # Compared with it is this host's client, which hands a message over in one write, without Nagle's algorithm.
    make: Any = registry.testbed_class("virtual")
    testbed = make(write_bytes=0)
    image = build(artefact.folder, testbed.description.target)
    with closing(Board(testbed, artefact, image, network, cancelled=threading.Event())) as board:
        yield board.to(State.READY)


@contextmanager
def _echo(address: mqtt.BrokerAddress, artefact: Artefact) -> Iterator[None]:
    """Run an edge that answers at once, and tells how long that took."""
    client, subscribed = mqtt.client(address, "echo"), threading.Event()
    logits = np.zeros(_CLASSES, dtype=np.float32)

    def on_message(_c: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        began_ns = time.perf_counter_ns()
        prefix, sequence = message.topic.removesuffix("/up"), sequence_of(bytes(message.payload))
        client.publish(f"{prefix}/down", reply(Status.OK, sequence, artefact.u32, logits), qos=0)
        said = {"seq": sequence, "service_us": (time.perf_counter_ns() - began_ns) / 1e3}
        client.publish(f"{prefix}/service", json.dumps(said), qos=0)

    def on_connect(_c: paho.Client, _u: Any, _f: Any, _r: Any, _p: Any) -> None:
        client.subscribe(f"{_ROOT}/+/up", qos=0)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = on_message
    mqtt.connect(client, address)
    client.loop_start()
    try:
        if not subscribed.wait(15):
            raise BenchError(f"the broker at {address} does not answer", cure="check its log")
        yield
    finally:
        client.disconnect()
        client.loop_stop()
