"""Uses a broker that the lab runs by itself: the bench connects to it, and neither starts nor stops it."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.broker import mqtt
from harness.broker.mqtt import BrokerAddress
from harness.contracts.errors import BenchError
from harness.lab.labfile import BrokerSection, broker_url

log = logging.getLogger(__name__)

SHARED, PASSWORD = "AGILENN_SHARED_BROKER", "AGILENN_MQTT_PASSWORD"
_ANSWER_S = 10.0


class GivenBroker:
    """Stands for a broker at an address of the lab file."""

    def __init__(self, address: BrokerAddress) -> None:
        self.address = address
        self.title = f"the lab's own at {address}"

    def check(self) -> None:
        """Do nothing, as it may be restarted while a run goes on: samples fail meanwhile, and boards come back by
        themselves.
        """


def address(section: BrokerSection) -> BrokerAddress:
    """Return where the given broker is and what opens it; the secret is read now.

    Raises:
        BenchError: no url, a secret that can't be read, or a broker beyond loopback without a password.
    """
    if section.url is None:
        raise BenchError("no broker is given", cure="set [broker] url in lab.toml")
    url = broker_url(section.url)
    password = section.password.read() if section.password else ""
    found = BrokerAddress(url.host, url.port, section.user, password, url.tls, section.ca if url.tls else None)
    mqtt.check_open(found)
    return found


@contextmanager
def running(section: BrokerSection) -> Iterator[GivenBroker]:
    """Give the broker for the duration of the block, once it has let us in.

    Raises:
        BenchError: it is not there, its certificate is not to be trusted, or it refuses us.
    """
    found = address(section)
    try_connect(found)
    log.info("broker given: %s", found)
    yield GivenBroker(found)


def shared() -> BrokerAddress | None:
    """Return the broker that a parent process runs for all its children; None when there is none."""
    if (text := os.environ.get(SHARED)) is None:
        return None
    host, _, rest = text.partition(":")
    port, _, user = rest.partition(" ")
    return BrokerAddress(host, int(port), user, os.environ.get(PASSWORD, ""))


@contextmanager
def of_parent(found: BrokerAddress) -> Iterator[GivenBroker]:
    """Give the parent's broker for the duration of the block. Raises BenchError when it is not there."""
    try_connect(found)
    made = GivenBroker(found)
    made.title = "shared by several testbeds"
    yield made


def environment(found: BrokerAddress) -> dict[str, str]:
    """Return what children are given, so that `shared` finds it."""
    return {SHARED: f"{found.host}:{found.port} {found.user}", PASSWORD: found.password}


def try_connect(found: BrokerAddress) -> None:
    """Connect once and leave. Raises BenchError with the reason when that can't be done."""
    answer: list[str | None] = []
    known = threading.Event()
    client = mqtt.client(found, f"bench-try-{secrets.token_hex(4)}")

    def on_connect(_c: object, _u: object, _f: object, reason: object, _p: object) -> None:
        answer.append(mqtt.refusal(reason))
        known.set()

    client.on_connect = on_connect
    client.on_disconnect = lambda *_: known.set()
    mqtt.connect(client, found)
    client.loop_start()
    try:
        known.wait(_ANSWER_S)
    finally:
        client.disconnect()
        client.loop_stop()
    if not answer:
        raise BenchError(
            f"the broker at {found} does not answer", cure="is that its MQTT port, and TLS as it wants it?"
        )
    if answer[0]:
        raise BenchError(f"the broker at {found} refuses us: {answer[0]}", cure="check [broker] user and password")
