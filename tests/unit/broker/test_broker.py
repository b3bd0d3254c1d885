"""A broker of the bench's own: it lets in who knows the password, dies with its parent, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.broker import managed as broker
from harness.broker import mqtt
from harness.broker.keeper import Orders, mosquitto_config, password_line
from harness.broker.listener import Listener, listening
from harness.broker.managed import Broker
from harness.broker.mqtt import BrokerAddress
from harness.broker.roles import ROLES, Role
from harness.contracts.errors import BenchError

pytestmark = pytest.mark.slow

KINDS = ["", pytest.param(broker.find_mosquitto() or "-", id="mosquitto")]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what these brokers write apart from that of tests that run at the same time."""
    own = tmp_path / "tmp"
    own.mkdir()
    monkeypatch.setenv("TMPDIR", str(own))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return own


def _folders(scratch: Path) -> set[str]:
    return {p.name for p in scratch.glob("agilenn-broker-*")}


@pytest.fixture(params=KINDS)
def running(request: pytest.FixtureRequest, scratch: Path) -> Iterator[Broker]:
    if request.param == "-":
        pytest.skip("no mosquitto here")
    with broker.running(program=request.param) as own:
        assert _folders(scratch)
        yield own
    assert not _folders(scratch)


def _connects(address: BrokerAddress) -> bool:
    answers: list[bool] = []
    known = threading.Event()
    client = mqtt.client(address, "tester")

    def on_connect(_c: object, _u: object, _f: object, reason: object, _p: object) -> None:
        answers.append(mqtt.refusal(reason) is None)
        known.set()

    client.on_connect = on_connect
    client.on_disconnect = lambda *_: known.set()
    mqtt.connect(client, address, 5)
    client.loop_start()
    known.wait(10)
    client.disconnect()
    client.loop_stop()
    return answers == [True]


def test_it_lets_in_only_who_knows_the_password(running: Broker) -> None:
    address = running.address
    assert address.host == "127.0.0.1"
    assert _connects(address)
    assert not _connects(BrokerAddress(address.host, address.port, address.user, "guess"))
    assert not _connects(BrokerAddress(address.host, address.port))
    entries = {role: running.entered_by(role) for role in ROLES}
    assert all(_connects(entry) for entry in entries.values())
    assert len({entry.password for entry in entries.values()}) == len(ROLES)
    assert not _connects(replace(entries["board"], password=entries["edge"].password))


def _said(running: Broker, role: Role, topic: str, data: bytes) -> None:
    """Publish as `role`, and wait until the broker has dealt with it."""
    client = mqtt.client(running.entered_by(role), f"tester-{role}")
    mqtt.connect(client, running.entered_by(role))
    client.loop_start()
    with contextlib.suppress(RuntimeError, ValueError):
        client.publish(topic, data, qos=1).wait_for_publish(2)
    client.disconnect()
    client.loop_stop()


def test_a_question_and_its_answer_get_through(running: Broker) -> None:
    heard: dict[str, list[tuple[str, bytes]]] = {"edge": [], "board": [], "bench": []}
    came = threading.Condition()

    def ear(role: Role, topics: list[str]) -> AbstractContextManager[Listener]:
        def hear(topic: str, data: bytes) -> None:
            with came:
                heard[role].append((topic, data))
                came.notify_all()

        return listening(running.entered_by(role), f"tester-ear-{role}", topics, hear)

    up, down = ("agile/0a/00/up", bytes(5000)), ("agile/0a/00/down", b"an answer")
    with (
        ear("edge", ["agile/0a/+/up"]),
        ear("board", ["agile/0a/00/down"]),
        ear("bench", ["agile/0a/+/service", "agile/0a/+/down"]),
    ):
        _said(running, "board", *up)
        _said(running, "edge", *down)
        with came:
            assert came.wait_for(lambda: all(heard.values()), 10), heard
    assert heard == {"edge": [up], "board": [down], "bench": [down]}


@pytest.mark.parametrize("role", ["board", "bench"])
@pytest.mark.parametrize("end", ["down", "service"])
def test_only_the_edge_answers_and_accounts(running: Broker, role: Role, end: str) -> None:
    heard: list[bytes] = []
    last = threading.Event()

    def hear(_topic: str, data: bytes) -> None:
        heard.append(data)
        if data == b"the edge's":
            last.set()

    with listening(running.address, "tester-ear", [f"agile/0a/+/{end}"], hear):
        _said(running, role, f"agile/0a/00/{end}", b"forged")
        _said(running, "edge", f"agile/0a/00/{end}", b"the edge's")
        assert last.wait(10)
    assert heard == [b"the edge's"]


def test_only_a_device_asks(running: Broker) -> None:
    heard: list[bytes] = []
    last = threading.Event()

    def hear(_topic: str, data: bytes) -> None:
        heard.append(data)
        if data == b"the board's":
            last.set()

    with listening(running.entered_by("edge"), "tester-ear", ["agile/0a/+/up"], hear):
        for role in ("bench", "edge"):
            _said(running, role, "agile/0a/00/up", b"forged")
        _said(running, "board", "agile/0a/00/up", b"the board's")
        assert last.wait(10)
    assert heard == [b"the board's"]


def test_its_death_is_told_with_its_last_words(running: Broker) -> None:
    running.check()
    os.kill(running.pid, signal.SIGKILL)
    running._process.wait(5)
    with pytest.raises(BenchError, match=r"the broker .* died"):
        running.check()


def test_a_program_that_is_no_broker_is_one_clear_error(tmp_path: Path) -> None:
    script = tmp_path / "mosquitto"
    script.write_text("#!/bin/sh\necho 'Error: address family' >&2\nexit 3\n")
    script.chmod(0o755)
    with (
        pytest.raises(BenchError, match=r"died with code 3: Error: address family"),
        broker.running(program=str(script)),
    ):
        pass


def test_it_dies_with_a_parent_that_is_killed(scratch: Path) -> None:
    """No broker and no folder is left when the bench is killed outright."""
    code = (
        "import sys, time\nfrom harness.broker import managed as broker\n"
        "with broker.running() as b:\n  print(b.pid, flush=True)\n  time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    keeper = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not Path(f"/proc/{keeper}").exists() or "Z" in Path(f"/proc/{keeper}/stat").read_text().split(")")[1][:3]:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the broker outlived its parent")
    assert not _folders(scratch)


def test_the_configuration_asks_for_no_delay_and_a_password(tmp_path: Path) -> None:
    text = mosquitto_config(Orders("mosquitto", "127.0.0.1", 1884, {"edge": ["u", "p"]}, str(tmp_path)), tmp_path)
    assert "set_tcp_nodelay true\n" in text
    assert "allow_anonymous false\n" in text
    assert f"acl_file {tmp_path / 'rules'}\n" in text
    assert "listener 1884 127.0.0.1\n" in text
    assert "secret" not in password_line("u", "secret")


def test_a_broker_beyond_loopback_needs_a_password() -> None:
    mqtt.check_open(BrokerAddress("127.0.0.1", 1883))
    mqtt.check_open(BrokerAddress("10.0.0.1", 1883, "u", "p"))
    with pytest.raises(BenchError, match="not on loopback and no password"):
        mqtt.check_open(BrokerAddress("10.0.0.1", 1883))
    assert "hush" not in repr(BrokerAddress("h", 1, "u", "hush"))
