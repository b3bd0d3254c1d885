"""Runs a broker of the bench's own: mosquitto where found, else amqtt, on a free loopback port with a random
password.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import IO, Any

from harness.broker import mqtt
from harness.broker.mqtt import BrokerAddress
from harness.broker.roles import ROLES, USERS, Account, Role
from harness.broker.section import BrokerSection
from harness.contracts.clock import Clock, HostClock
from harness.contracts.errors import BenchError
from harness.contracts.scratch import Scratch
from harness.host import last_words
from harness.host.processes import inherited_path

log = logging.getLogger(__name__)

_SBIN = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"  # where mosquitto is put but ordinary users do not look
_START_ATTEMPTS = 3  # a free port may be taken between asking for it and using it


class Broker:
    """Holds a running broker; `close` stops it and waits."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        said: IO[bytes],
        folder: Scratch,
        *,
        address: BrokerAddress,
        accounts: Mapping[Role, Account],
        title: str,
    ) -> None:
        self._process = process
        self._said = said
        self._folder = folder
        self.address = address
        self._accounts = accounts
        self.title = title

    def entered_by(self, role: Role) -> BrokerAddress:
        """Return the broker as `role` enters it."""
        return self.address.known_as(self._accounts[role])

    @property
    def pid(self) -> int:
        """Return the process id of the broker's keeper."""
        return self._process.pid

    def check(self) -> None:
        """Check that it is alive.

        Raises:
            BenchError: it is not, with its last words.
        """
        if (code := self._process.poll()) is not None:
            raise BenchError(
                f"the broker ({self.title}) died with code {code}: {self.last_words() or 'it said nothing'}",
                cure="check that mosquitto starts by hand, or hide it from PATH to use amqtt",
            )

    def last_words(self) -> str:
        """Return what it wrote to stderr last that tells why it ended, on one line."""
        self._said.seek(0)
        return last_words.of(self._said.read()[-64_000:].decode("utf-8", "replace"))

    def close(self) -> None:
        """Stop it, wait, and remove what it left. It is safe to call this twice."""
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(8)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.close()
        self._said.close()


def find_mosquitto() -> str:
    """Return the path of mosquitto, "" when there is none."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_SBIN) or ""


@contextmanager
def running(
    *, program: str | None = None, clock: Clock | None = None, section: BrokerSection | None = None
) -> Iterator[Broker]:
    """Run a broker for the duration of the block.

    Args:
        program: path of mosquitto, "" for amqtt, None to look for mosquitto and fall back on amqtt.
        section: the lab's `[broker]`: user and password if they are given, and where to listen beyond loopback.

    Raises:
        BenchError: it can't be started.
    """
    chosen = find_mosquitto() if program is None else program
    outside = _outside(section or BrokerSection(), chosen)
    broker = _start(chosen, section or BrokerSection(), outside, clock or HostClock())
    log.info("%s at %s", broker.title, broker.address)
    try:
        yield broker
    finally:
        broker.close()


def _outside(section: BrokerSection, program: str) -> dict[str, Any]:
    """Return the orders for listeners beyond loopback, checked."""
    if section.listen is None:
        return {}
    if not program:
        raise BenchError("[broker] listen needs mosquitto, and none was found", cure="apt-get install mosquitto")
    orders: dict[str, Any] = {"outside": section.listen, "outside_port": section.port if section.plain else 0}
    if section.certificate and section.key:
        for path in (section.certificate, section.key):
            if not os.access(path, os.R_OK):
                raise BenchError(f"{path} can't be read", cure="mend [broker] certificate and key")
        if section.key.stat().st_mode & 0o077:
            raise BenchError(f"key file {section.key} may be read by others", cure=f"chmod 600 {section.key}")
        orders |= {"outside_tls_port": section.tls_port}
        orders |= {"certificate": str(section.certificate), "key": str(section.key)}
    return orders


def _start(program: str, section: BrokerSection, outside: dict[str, Any], clock: Clock) -> Broker:
    accounts = _accounts(section)
    problem: BenchError | None = None
    for _ in range(_START_ATTEMPTS):
        broker = _spawn(program, BrokerAddress("127.0.0.1", _free_port()), accounts, outside)
        try:
            _wait_until_up(broker, clock)
        except BenchError as e:
            problem = e
            broker.close()
        except BaseException:
            broker.close()
            raise
        else:
            return broker
    raise problem or BenchError("the broker did not start")


def _accounts(section: BrokerSection) -> dict[Role, Account]:
    """Return an account for each role: the lab file's where it has one, else a random password."""
    made = {role: Account(USERS[role], secrets.token_urlsafe(24)) for role in ROLES}
    given = {"bench": section.account, "edge": section.edge, "board": section.board}
    for role in ROLES:
        if (own := given[role]) is not None:
            told = own.read()
            made[role] = Account(told.user, told.password or made[role].password)
    if len({one.user for one in made.values()}) < len(made):
        raise BenchError("two roles have one user at the broker", cure="give them others in [broker] of lab.toml")
    return made


def _spawn(program: str, where: BrokerAddress, accounts: Mapping[Role, Account], outside: dict[str, Any]) -> Broker:
    said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the Broker
    folder = Scratch("broker")
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.broker.keeper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=said,
        env={**os.environ, "PYTHONPATH": inherited_path()},
    )
    orders: dict[str, Any] = {"program": program, "host": where.host, "port": where.port, **outside}
    orders |= {
        "accounts": {role: [one.user, one.password] for role, one in accounts.items()},
        "folder": str(folder.path),
    }
    orders_pipe = process.stdin
    if orders_pipe is None:
        raise BenchError("the broker's process has no input")
    with contextlib.suppress(BrokenPipeError):  # died at once: _wait_until_up tells
        orders_pipe.write(json.dumps(orders).encode() + b"\n")
        orders_pipe.flush()
    address = where.known_as(accounts["bench"])
    return Broker(process, said, folder, address=address, accounts=accounts, title=_title(program))


def _title(program: str) -> str:
    if not program:
        return f"amqtt {version('amqtt')}"
    try:
        done = subprocess.run([program, "-h"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "mosquitto"
    first = (done.stdout or done.stderr).splitlines()[:1]
    return first[0].strip() if first and "mosquitto" in first[0] else "mosquitto"


def _wait_until_up(broker: Broker, clock: Clock, limit_s: float = 20.0) -> None:
    """Wait until a client with the password gets through CONNECT."""
    deadline_ms = clock.now_ms() + limit_s * 1e3
    up = threading.Event()
    while clock.now_ms() < deadline_ms:
        broker.check()
        with contextlib.suppress(OSError):
            socket.create_connection((broker.address.host, broker.address.port), 1).close()
            break
        up.wait(0.02)
    probe = mqtt.client(broker.address, "bench-probe")
    probe.on_connect = lambda _c, _u, _f, reason, _p: up.set() if mqtt.refusal(reason) is None else None
    with contextlib.suppress(BenchError):
        mqtt.connect(probe, broker.address, 5)
        probe.loop_start()
    try:
        if not up.wait(max(1.0, (deadline_ms - clock.now_ms()) / 1e3)):
            broker.check()
            raise BenchError(
                f"the broker ({broker.title}) does not answer at {broker.address}: {broker.last_words()}",
                cure="check that mosquitto starts by hand, or hide it from PATH to use amqtt",
            )
    finally:
        probe.disconnect()
        probe.loop_stop()


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port
