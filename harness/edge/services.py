"""Hears the edge's own account of its service times over the broker."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho

from harness.broker import mqtt
from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)

_KEPT = 4096  # accounts nobody asked for, before the oldest is forgotten


class Services:
    """Keeps accounts by topic prefix and sequence number."""

    def __init__(self) -> None:
        self._heard: OrderedDict[tuple[str, int], float] = OrderedDict()
        self._news = threading.Condition()

    def forget(self, prefix: str) -> None:
        """Drop what is known of a prefix, so that an old account can't be taken for a new one."""
        with self._news:
            for key in [key for key in self._heard if key[0] == prefix]:
                del self._heard[key]

    def wall_ms(self, prefix: str, sequence: int, timeout_s: float = 3.0) -> float | None:
        """Return the wall time of the service of one payload, ms; None when the edge gave no account in time."""
        key = (prefix, sequence)
        with self._news:
            if self._news.wait_for(lambda: key in self._heard, timeout_s):
                return self._heard.pop(key)
        return None

    def hear(self, topic: str, data: bytes) -> None:
        """Take in one message; anything that is no account is dropped."""
        try:
            said = json.loads(data)
            key, value = (topic.removesuffix("/service"), int(said["seq"])), float(said["service_us"]) / 1e3
        except (ValueError, KeyError, TypeError) as e:
            log.info("no account of a service: %s", e)
            return
        with self._news:
            self._heard[key] = value
            while len(self._heard) > _KEPT:
                self._heard.popitem(last=False)
            self._news.notify_all()


@contextmanager
def listening(address: mqtt.BrokerAddress, root: str, timeout_s: float = 15.0) -> Iterator[Services]:
    """Listen to `root/+/service` for the duration of the block.

    Raises:
        BenchError: the broker can't be reached or does not answer.
    """
    services = Services()
    ready = threading.Event()
    client = mqtt.client(address, "bench-services")

    def on_connect(_c: paho.Client, _u: Any, _f: Any, _r: Any, _p: Any) -> None:
        client.subscribe(f"{root}/+/service", qos=0)

    client.on_subscribe = lambda *_: ready.set()

    def on_message(_c: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        services.hear(message.topic, bytes(message.payload))

    client.on_connect = on_connect
    client.on_message = on_message
    mqtt.connect(client, address)
    client.loop_start()
    try:
        if not ready.wait(timeout_s):
            raise BenchError(f"the broker at {address} does not answer", cure="check its log")
        yield services
    finally:
        client.disconnect()
        client.loop_stop()
