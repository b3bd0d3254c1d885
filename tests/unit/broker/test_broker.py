"""A broker of the bench's own: it lets in who knows the password, dies with its parent, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.broker import managed as broker
from harness.broker import mqtt
from harness.broker.keeper import Orders, mosquitto_config, password_line
from harness.broker.managed import Broker
from harness.broker.mqtt import BrokerAddress
from harness.contracts.errors import BenchError

KINDS = ["", pytest.param(broker.find_mosquitto() or "-", id="mosquitto")]


def _folders() -> set[str]:
    return {p.name for p in Path(tempfile.gettempdir()).glob("agilenn-broker-*")}


@pytest.fixture(params=KINDS)
def running(request: pytest.FixtureRequest) -> Iterator[Broker]:
    if request.param == "-":
        pytest.skip("no mosquitto here")
    before = _folders()
    with broker.running(program=request.param) as own:
        yield own
    assert _folders() <= before


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


def test_a_message_gets_through(running: Broker) -> None:
    came = threading.Event()
    heard: list[bytes] = []
    client = mqtt.client(running.address, "tester")
    client.on_connect = lambda c, *_: c.subscribe("a/+/up")
    client.on_subscribe = lambda c, *_: c.publish("a/1/up", bytes(5000))
    client.on_message = lambda _c, _u, message: (heard.append(message.payload), came.set())
    mqtt.connect(client, running.address)
    client.loop_start()
    assert came.wait(10)
    client.disconnect()
    client.loop_stop()
    assert heard == [bytes(5000)]


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


def test_it_dies_with_a_parent_that_is_killed() -> None:
    """No broker and no folder is left when the bench is killed outright."""
    code = (
        "import sys, time\nfrom harness.broker import managed as broker\n"
        "with broker.running() as b:\n  print(b.pid, flush=True)\n  time.sleep(60)\n"
    )
    before = _folders()
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
    assert _folders() <= before


def test_the_configuration_asks_for_no_delay_and_a_password(tmp_path: Path) -> None:
    text = mosquitto_config(Orders("mosquitto", "127.0.0.1", 1884, "u", "p", str(tmp_path)), tmp_path)
    assert "set_tcp_nodelay true\n" in text
    assert "allow_anonymous false\n" in text
    assert "listener 1884 127.0.0.1\n" in text
    assert "secret" not in password_line("u", "secret")


def test_a_broker_beyond_loopback_needs_a_password() -> None:
    mqtt.check_open(BrokerAddress("127.0.0.1", 1883))
    mqtt.check_open(BrokerAddress("10.0.0.1", 1883, "u", "p"))
    with pytest.raises(BenchError, match="not on loopback and no password"):
        mqtt.check_open(BrokerAddress("10.0.0.1", 1883))
    assert "hush" not in repr(BrokerAddress("h", 1, "u", "hush"))
