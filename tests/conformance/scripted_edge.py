"""An edge server that answers what a test tells it to, and gives its account as the real one does."""

from __future__ import annotations

import json
import struct
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

from harness.broker import mqtt
from harness.contracts.testbed import Network

CLASSES = 3
LOGITS = [-1.0, 4.0, 0.5]
SERVICE_US = 1500


def reply(payload: bytes, logits: list[float] | None = None, **changes: int) -> bytes:
    """The reply to a device's payload (docs/protocol.md), with header fields changed."""
    _, _, sequence, weights = struct.unpack_from("<BBHI", payload)
    body = struct.pack(f"<{CLASSES}f", *(LOGITS if logits is None else logits)) if logits != [] else b""
    values = {"status": 0, "sequence": sequence, "weights": weights} | changes
    head = struct.pack("<BBHII", 1, values["status"], values["sequence"], values["weights"], len(body))
    return head + struct.pack("<I", zlib.crc32(head + body)) + body


def right(payload: bytes) -> list[bytes]:
    """One right answer."""
    return [reply(payload)]


class ScriptedEdge:
    """Answers on one board's topics. `answers` gives the messages that follow a payload; `seen` keeps payloads."""

    def __init__(self, address: mqtt.BrokerAddress, network: Network) -> None:
        self.answers: Callable[[bytes], list[bytes]] = right
        self.seen: list[bytes] = []
        self.arrived = threading.Event()
        self._prefix = network.topic_prefix
        self._client = mqtt.client(address, "scripted-edge")
        ready = threading.Event()
        self._client.on_connect = lambda c, *_: c.subscribe(f"{self._prefix}/up")
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = self._take
        mqtt.connect(self._client, address)
        self._client.loop_start()
        assert ready.wait(20), "the broker does not take the edge's subscription"

    def _take(self, client: Any, _data: Any, message: Any) -> None:
        payload = bytes(message.payload)
        self.seen.append(payload)
        self.arrived.set()
        answers = self.answers(payload)
        time.sleep(SERVICE_US / 1e6)  # what the account says
        for answer in answers:
            client.publish(f"{self._prefix}/down", answer)
        account = {"seq": int.from_bytes(payload[2:4], "little"), "service_us": SERVICE_US, "status": 0}
        client.publish(f"{self._prefix}/service", json.dumps(account))

    def behave(self) -> None:
        """Right answers again, and nothing seen."""
        self.answers = right
        self.seen.clear()
        self.arrived.clear()

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()
