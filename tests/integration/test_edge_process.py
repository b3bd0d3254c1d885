"""The edge server as a process behind a real broker: it answers what is right, survives what is not, and goes."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.broker import managed as broker
from harness.broker import mqtt
from harness.broker.listener import Listener
from harness.broker.managed import Broker
from harness.contracts.description import load_description, weights_u32
from harness.contracts.paths import weights_dir
from harness.edge import launch, payload, tag
from harness.edge.payload import Status
from testbeds.firmware.host.hostlib import codec_library

from ..support.commands import but_progress

ROOT = "agile/0123abcd"
KEY = "of this test"
DEVICES = 8


class Peer:
    """A device's module and the host's ear in one: publishes payloads, collects replies and accounts."""

    def __init__(self, own: Broker, name: str = "00") -> None:
        self._prefix = f"{ROOT}/{name}"
        self.replies: list[bytes] = []
        self.accounts: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._client = mqtt.client(own.entered_by("board"), f"peer-{name}")
        mqtt.connect(self._client, own.entered_by("board"))
        self._client.loop_start()
        topics = [f"{self._prefix}/{end}" for end in ("down", "service")]
        self._ear = Listener(own.address, f"ear-{name}", topics, self._heard)
        self._ear.start()
        self._ear.wait(10)

    def ask(self, data: bytes) -> payload.Header:
        """Send and wait for reply and account."""
        want = len(self.replies) + 1
        self._client.publish(f"{self._prefix}/up", data)
        with self._news:
            assert self._news.wait_for(lambda: len(self.replies) >= want and len(self.accounts) >= want, 20)
        return payload.parse(self.replies[-1])[0]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._ear.close()

    def _heard(self, topic: str, data: bytes) -> None:
        with self._news:
            if topic.endswith("/down"):
                self.replies.append(data)
            else:
                self.accounts.append(json.loads(data))
            self._news.notify_all()


@pytest.fixture(scope="module")
def artefact() -> Path:
    return weights_dir() / "cifar10-compact" / "full_offload"


@pytest.fixture(scope="module")
def own() -> Iterator[Broker]:
    with broker.running() as made:
        yield made


@pytest.fixture(scope="module")
def edge(own: Broker, artefact: Path) -> Iterator[tuple[launch.Edge, Peer]]:
    with launch.running([artefact], own.entered_by("edge"), ROOT, KEY) as running:
        running.calibrated()
        peer = Peer(own)
        yield running, peer
        peer.close()


def test_it_says_what_it_serves_and_how_long_that_takes(edge: tuple[launch.Edge, Peer], artefact: Path) -> None:
    (one,) = edge[0].calibrated()
    assert (one.scheme, one.weights) == ("full_offload", f"{weights_u32(artefact):08x}")
    assert 50 < one.service_us < 1e6


@pytest.mark.parametrize("codec", ["stored", "lzw"])
def test_a_picture_gets_logits_and_an_account(edge: tuple[launch.Edge, Peer], artefact: Path, codec: str) -> None:
    _, peer = edge
    description = load_description(artefact)
    picture = np.repeat(np.arange(description.image_bytes // 4) % 256, 4).astype(np.uint8)
    data = codec_library().encode(picture, 256, codec, 321, weights_u32(artefact))
    header = peer.ask(data)
    assert (header.kind, header.sequence, header.body_bytes) == (Status.OK, 321, 4 * description.classes)
    logits = np.frombuffer(payload.parse(peer.replies[-1])[1], "<f4")
    assert np.isfinite(logits).all()
    assert peer.accounts[-1]["seq"] == 321
    account = peer.accounts[-1]
    assert account["service_us"] > 0
    assert tag.right(account["tag"], KEY, f"{ROOT}/00", 321, account["service_us"], peer.replies[-1])


def test_eight_devices_at_once_each_get_the_answers_to_their_own_questions(
    edge: tuple[launch.Edge, Peer], own: Broker, artefact: Path
) -> None:
    """Each picture is asked alone first; then eight devices ask, each other ones, among bytes that are no payload."""
    running, alone = edge
    d, weights, codecs = load_description(artefact), weights_u32(artefact), codec_library()
    rng = np.random.default_rng(0)
    pictures = np.kron(rng.integers(0, 256, (DEVICES * 6, d.image_bytes // 16)), np.ones(16, int)).astype(np.uint8)
    wanted = []
    for picture in pictures:
        assert alone.ask(codecs.encode(picture, 256, "lzw", 1, weights)).kind == Status.OK
        wanted.append(payload.parse(alone.replies[-1])[1])
    assert len(set(wanted)) == len(wanted), "pictures whose answers could be mistaken for one another show nothing"
    start, wrong = threading.Barrier(DEVICES), []

    def device(number: int) -> None:
        peer, noise = Peer(own, f"{0x10 + number:02x}"), np.random.default_rng(number)
        try:
            start.wait(60)
            for turn in range(30):
                which = number + DEVICES * (turn % 6)
                sequence = 1000 * number + turn
                if turn % 7 == 3:
                    peer.ask(noise.bytes(40))
                header = peer.ask(codecs.encode(pictures[which], 256, "lzw", sequence, weights))
                body = payload.parse(peer.replies[-1])[1]
                if (header.kind, header.sequence, header.weights, body) != (0, sequence, weights, wanted[which]):
                    wrong.append((number, turn, header))
                if peer.accounts[-1]["seq"] != sequence:
                    wrong.append((number, turn, peer.accounts[-1]))
        except BaseException as e:  # an assertion in a thread would be lost
            wrong.append((number, e))
        finally:
            peer.close()

    threads = [threading.Thread(target=device, args=(number,)) for number in range(DEVICES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    running.check()


def test_noise_and_strangers_are_refused_and_it_goes_on(edge: tuple[launch.Edge, Peer], artefact: Path) -> None:
    running, peer = edge
    rng = np.random.default_rng(0)
    for size in (0, 1, 15, 16, 17, 3088, 60_000):
        assert peer.ask(rng.bytes(size)).kind == Status.BAD_PAYLOAD
    stranger = payload.pack(0, 9, weights_u32(artefact) ^ 1, bytes(3072))
    assert peer.ask(stranger).kind == Status.OTHER_WEIGHTS
    assert peer.ask(payload.pack(1, 10, weights_u32(artefact), rng.bytes(900))).kind == Status.BAD_PAYLOAD
    assert peer.ask(payload.pack(0, 11, weights_u32(artefact), bytes(3072))).kind == Status.OK
    running.check()


def test_bench_edge_tells_every_scheme_that_offloads(start: Callable[..., Any], artefact: Path) -> None:
    bench = start("harness.bench", "edge", "--weights", str(artefact.parent), "--calls", "10", "--images", "2")
    code, out, err = bench.wait()
    assert (code, err) == (0, "")
    assert all(scheme in out for scheme in ("agilenn", "full_offload")), out
    assert "local_only" not in out
    assert "n too small" in out, "no 99th percentile of ten calls"
    bench.nothing_left()


def test_damaged_server_weights_are_one_clear_line(tmp_path: Path, start: Callable[..., Any], artefact: Path) -> None:
    folder = tmp_path / "cifar10-compact" / "full_offload"
    shutil.copytree(artefact, folder)
    (folder / "server.npz").write_bytes(os.urandom(3000))
    options = ("--schemes", "full_offload", "--images", "1", "--rates", "6M", "--out", str(tmp_path / "run"))
    sweep = start("harness.sweep", "bandwidth", *options, AGILENN_WEIGHTS_DIR=str(tmp_path))
    code, out, err = sweep.wait()
    assert code == 2
    err = but_progress(err)
    assert err.count("\n") == 1, err
    assert str(folder / "server.npz") in err
    assert out == ""
    sweep.nothing_left()
