"""Uses a broker that the lab runs by itself: the bench connects to it, and neither starts nor stops it."""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from harness.broker import mqtt
from harness.broker.managed import Broker
from harness.broker.mqtt import BrokerAddress
from harness.broker.roles import ROLES, Account, Role
from harness.broker.section import AccountSection, BrokerSection, broker_url
from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)

SHARED, ACCOUNTS = "AGILENN_SHARED_BROKER", "AGILENN_SHARED_ACCOUNTS"
_ANSWER_S = 10.0


class GivenBroker:
    """Stands for a broker at an address of the lab file."""

    def __init__(self, address: BrokerAddress, accounts: Mapping[Role, Account] | None = None) -> None:
        self.address = address
        self._accounts = dict(accounts or {})  # of the roles that have one of their own
        self.title = f"the lab's own at {address}"

    def entered_by(self, role: Role) -> BrokerAddress:
        """Return the broker as `role` enters it; by the bench's own account where it has none of its own."""
        return self.address.known_as(self._accounts[role]) if role in self._accounts else self.address

    def check(self) -> None:
        """Do nothing, as it may be restarted while a run goes on: samples fail meanwhile, and boards come back by
        themselves.
        """


def address(section: BrokerSection, role: Role = "bench") -> BrokerAddress:
    """Return where the given broker is and what opens it; the secret is read now.

    Raises:
        BenchError: no url, a secret that can't be read, or a broker beyond loopback without a password.
    """
    if section.url is None:
        raise BenchError("no broker is given", cure="set [broker] url in lab.toml")
    url = broker_url(section.url)
    own = {"bench": None, "edge": section.edge, "board": section.board}[role] or section.account
    account = own.read() if own else Account("")
    where = BrokerAddress(url.host, url.port, tls=url.tls, ca=section.ca if url.tls else None)
    found = where.known_as(account)
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
    named: Mapping[Role, AccountSection | None] = {"edge": section.edge, "board": section.board}
    yield GivenBroker(found, {role: own.read() for role, own in named.items() if own})


def shared() -> GivenBroker | None:
    """Return the broker that a parent process runs for all its children; None when there is none."""
    if (text := os.environ.get(SHARED)) is None:
        return None
    host, _, port = text.rpartition(":")
    told: dict[Role, list[str]] = json.loads(os.environ.get(ACCOUNTS, "{}"))
    accounts = {role: Account(*one) for role, one in told.items()}
    return GivenBroker(BrokerAddress(host, int(port)).known_as(accounts["bench"]), accounts)


@contextmanager
def of_parent(found: GivenBroker) -> Iterator[GivenBroker]:
    """Use that one for the duration of the block. Raises BenchError when it is not there."""
    try_connect(found.address)
    found.title = "shared by several testbeds"
    yield found


def environment(found: Broker | GivenBroker) -> dict[str, str]:
    """Return what children are given, so that `shared` finds it."""
    entries = {role: found.entered_by(role) for role in ROLES}
    accounts = {role: [one.user, one.password] for role, one in entries.items()}
    return {SHARED: f"{found.address.host}:{found.address.port}", ACCOUNTS: json.dumps(accounts)}


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
