"""Makes MQTT clients of the host side, each with TCP_NODELAY: without it a small message can wait 40 ms for an ACK."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from harness.broker.roles import Account
from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class BrokerAddress:
    """Says where a broker listens and who may talk to it. The password stays in memory."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca: Path | None = None  # PEM of who may sign the broker's certificate; None: whom this host trusts

    def known_as(self, account: Account) -> BrokerAddress:
        """Return the same broker, entered by another account."""
        return replace(self, user=account.user, password=account.password)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtts://{host}:{self.port}" if self.tls else f"{host}:{self.port}"


def on_loopback(host: str) -> bool:
    """Say whether `host` stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK


def check_open(address: BrokerAddress) -> None:
    """Refuse a broker beyond loopback without a password: anyone on that network could answer for the edge.

    Raises:
        BenchError: the broker is beyond loopback and takes no password.
    """
    if not on_loopback(address.host) and not address.password:
        raise BenchError(
            f"broker {address} is not on loopback and no password is set",
            cure="set AGILENN_MQTT_PASSWORD and a user ([broker] in lab.toml), or use a broker on 127.0.0.1",
        )


class Client(mqtt.Client):
    """Is a paho client whose thread does not die silently: `ended` is what ended it, None while it lives."""

    ended: BaseException | None = None

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> Any:
        """Serve the connection as paho does; what it raises is kept and told in the log."""
        try:
            return super().loop_forever(timeout, retry_first_connection)
        except BaseException as e:
            self.ended = e
            log.exception("the thread that serves a connection to the broker has ended")
            return mqtt.MQTT_ERR_UNKNOWN


def client(address: BrokerAddress, client_id: str) -> Client:
    """Make a client, not yet connected.

    Raises:
        BenchError: the certificates to check the broker by can't be read.
    """
    made = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv311)
    if address.user:
        made.username_pw_set(address.user, address.password or None)
    if address.tls:
        try:
            made.tls_set(str(address.ca) if address.ca else None)
        except (OSError, ValueError) as e:  # ssl.SSLError is an OSError
            raise BenchError(f"{address.ca} holds no certificates ({e})", cure="give a PEM file by [broker] ca") from e
    made.on_socket_open = _no_delay
    made.reconnect_delay_set(min_delay=1, max_delay=2)
    return made


def connect(made: mqtt.Client, address: BrokerAddress, timeout_s: float = 10.0) -> None:
    """Connect and wait for the broker's word.

    Raises:
        BenchError: no connection, or the broker refused it.
    """
    made.connect_timeout = timeout_s
    try:
        made.connect(address.host, address.port, keepalive=60)
    except ssl.SSLCertVerificationError as e:
        raise BenchError(
            f"the certificate of the broker at {address} is not to be trusted ({e.verify_message})",
            cure="give the certificate that signed it by [broker] ca, and the name that is in it by url",
        ) from e
    except ssl.SSLError as e:
        raise BenchError(f"no TLS with the broker at {address} ({e.reason})", cure="is that its TLS port?") from e
    except OSError as e:
        raise BenchError(f"no broker at {address} ({e})", cure="start it, or give the address of one") from e


def refusal(reason: Any) -> str | None:
    """Say why CONNACK refused; return None when it did not."""
    return str(reason) if getattr(reason, "is_failure", False) else None


def _no_delay(made: mqtt.Client, data: Any, sock: Any) -> None:
    with contextlib.suppress(OSError, AttributeError):  # a socket pair has no TCP level
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
