"""Keeps a broker: runs one, gives everything back, and dies with the bench that started it.

    python -m harness.broker.keeper < orders.json

The first line on stdin is the orders (so that the password is never in an argument list); when stdin closes, the
parent is gone, however it went, and the broker is stopped and its private folder removed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.broker.roles import Role, acl_text, may
from harness.host.processes import die_with_parent


@dataclass(frozen=True)
class Orders:
    """Says what to run."""

    program: str  # path of mosquitto, or "" for amqtt
    host: str
    port: int
    accounts: dict[Role, list[str]]  # user and password of each role; empty: anybody may do anything
    folder: str  # private to us; removed here too, in case the parent can't
    outside: str = ""  # an address of this host beyond loopback to listen at too; mosquitto only
    outside_port: int = 0  # without TLS; 0: none
    outside_tls_port: int = 0
    certificate: str = ""
    key: str = ""


def main() -> int:
    """Read orders, keep the broker until stdin closes or it ends by itself; its exit code is ours."""
    orders = Orders(**json.loads(sys.stdin.readline()))
    for number in (signal.SIGINT, signal.SIGHUP):  # these reach the whole process group: our parent decides
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        return _mosquitto(orders, Path(orders.folder)) if orders.program else _amqtt(orders)
    finally:
        shutil.rmtree(orders.folder, ignore_errors=True)


def mosquitto_config(orders: Orders, folder: Path) -> str:
    """Return the text of mosquitto.conf. It sets TCP_NODELAY, or QoS 1 waits for delayed ACKs; nothing persists."""
    lines = [
        "per_listener_settings false",
        "set_tcp_nodelay true",
        "persistence false",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "max_inflight_messages 0",
        "max_queued_messages 1000",
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # else it changes to user mosquitto, who can't read our private folder
    if orders.accounts:
        lines += ["allow_anonymous false", f"password_file {folder / 'passwords'}", f"acl_file {folder / 'rules'}"]
    else:
        lines.append("allow_anonymous true")
    lines.append(f"listener {orders.port} {orders.host}")
    if orders.outside_port:
        lines.append(f"listener {orders.outside_port} {orders.outside}")
    if orders.outside_tls_port:
        lines += [
            f"listener {orders.outside_tls_port} {orders.outside}",
            f"certfile {orders.certificate}",
            f"keyfile {orders.key}",
            "tls_version tlsv1.2",
        ]
    return "\n".join(lines) + "\n"


def password_line(user: str, password: str) -> str:
    """Return one line of a mosquitto password file: salted SHA-512 ($6$), which 1.x and 2.x both read."""
    salt = secrets.token_bytes(12)
    digest = hashlib.sha512(password.encode() + salt).digest()
    return f"{user}:$6${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


def _mosquitto(orders: Orders, folder: Path) -> int:
    config = folder / "mosquitto.conf"
    config.write_text(mosquitto_config(orders, folder), encoding="utf-8")
    if orders.accounts:
        lines = [password_line(user, password) for user, password in orders.accounts.values()]
        rules = acl_text({role: user for role, (user, _) in orders.accounts.items()})
        for name, text in (("passwords", "".join(lines)), ("rules", rules)):
            path = folder / name
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")
    broker = subprocess.Popen(
        [orders.program, "-c", str(config)],
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - this process has one thread
    )
    try:
        while broker.poll() is None:
            if select.select([sys.stdin], [], [], 0.1)[0]:
                return 0
        return broker.returncode or 1
    finally:
        broker.terminate()
        try:
            broker.wait(3)
        except subprocess.TimeoutExpired:
            broker.kill()
            broker.wait()


def _amqtt(orders: Orders) -> int:
    from amqtt.broker import Broker  # noqa: PLC0415 - slow to import, and not needed where mosquitto is
    from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin  # noqa: PLC0415

    logging.getLogger("amqtt").setLevel(logging.ERROR)
    logging.getLogger("transitions").setLevel(logging.ERROR)

    roles = {user: role for role, (user, _) in orders.accounts.items()}

    class Accounts(BaseAuthPlugin, BaseTopicPlugin):  # type: ignore[misc]
        """Lets in who knows a user and its password, kept in memory, and holds each role to its rules."""

        async def authenticate(self, *, session: Any) -> bool:
            if not orders.accounts:
                return True
            given = f"{session.username}\n{session.password}".encode()
            known = [f"{user}\n{password}".encode() for user, password in orders.accounts.values()]
            return any([secrets.compare_digest(given, one) for one in known])

        async def topic_filtering(self, *, session: Any = None, topic: Any = None, action: Any = None) -> bool:
            if not orders.accounts:
                return True
            role = roles.get(getattr(session, "username", None) or "")
            return role is not None and may(role, action.value, str(topic))

    # amqtt finds its plugins by dotted path, so the class has to be reachable through a module.
    globals()["Accounts"] = Accounts
    Accounts.__qualname__ = "Accounts"
    settings = {
        "listeners": {"default": {"type": "tcp", "bind": f"{orders.host}:{orders.port}"}},
        "plugins": {f"{__name__}.Accounts": {}},
    }

    async def serve() -> None:
        broker = Broker(settings)
        await broker.start()
        loop = asyncio.get_running_loop()
        closed = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), closed.set)
        loop.add_signal_handler(signal.SIGTERM, closed.set)
        await closed.wait()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(broker.shutdown(), 3)

    asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
