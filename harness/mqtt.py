"""MQTT clients of the host side, each with TCP_NODELAY: without it a small message can wait 40 ms for an ACK."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from harness.contracts.errors import BenchError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class BrokerAddress:
    """Where a broker listens and who may talk to it. The password stays in memory."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def check_open(address: BrokerAddress) -> None:
    """Refuse a broker beyond loopback without a password: anyone on that network could answer for the edge.

    Raises:
        BenchError: it is one.
    """
    if address.host not in LOOPBACK and not address.password:
        raise BenchError(
            f"broker {address} is not on loopback and no password is set",
            cure="set AGILENN_MQTT_PASSWORD and a user, or use a broker on 127.0.0.1",
        )


def client(address: BrokerAddress, client_id: str) -> mqtt.Client:
    """A client, not yet connected."""
    made = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv311)
    if address.user:
        made.username_pw_set(address.user, address.password or None)
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
    except OSError as e:
        raise BenchError(f"no broker at {address} ({e})", cure="start it, or give the address of one") from e


def refusal(reason: Any) -> str | None:
    """Why CONNACK refused, None when it did not."""
    return str(reason) if getattr(reason, "is_failure", False) else None


def _no_delay(made: mqtt.Client, data: Any, sock: Any) -> None:
    with contextlib.suppress(OSError, AttributeError):  # a socket pair has no TCP level
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
