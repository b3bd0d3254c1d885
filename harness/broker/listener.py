"""Listens to topics of the broker in a thread that never dies silently."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho

from harness.broker import mqtt
from harness.broker.mqtt import BrokerAddress
from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)

_ANSWER_S = 15.0


class Listener:
    """Subscribes and hears. What `hear` raises for a message is told in the log and costs that message; what ends the
    thread is told by `check`.

    Args:
        topics: filters to subscribe to, QoS 0, after every connection anew.
        hear: takes topic and payload, in the listener's thread. Peers send what they like: it should not raise.
        connected: called in that thread after every connection.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        topics: Sequence[str],
        hear: Callable[[str, bytes], None],
        *,
        connected: Callable[[], None] = lambda: None,
    ) -> None:
        self._address = address
        self._topics = topics
        self._hear = hear
        self._connected = connected
        self.subscribed = threading.Event()
        self.refused = ""  # why the broker turned the connection down
        self.client = mqtt.client(address, client_id)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = self._on_message

    def start(self) -> None:
        """Connect and listen from now on.

        Raises:
            BenchError: the broker can't be reached.
        """
        mqtt.connect(self.client, self._address)
        self.client.loop_start()

    def wait(self, timeout_s: float = _ANSWER_S) -> None:
        """Wait until the broker has taken the subscriptions.

        Raises:
            BenchError: it did not, or the thread has ended.
        """
        if not self.subscribed.wait(timeout_s):
            self.check()
            why = f" ({self.refused})" if self.refused else ""
            raise BenchError(f"the broker at {self._address} does not answer{why}", cure="check its log")

    def check(self) -> None:
        """Check that the listener is still listening.

        Raises:
            BenchError: its thread has ended, and why.
        """
        if (e := self.client.ended) is not None:
            raise BenchError(
                f"nobody listens to the broker any more ({type(e).__name__}: {e})", cure="report this as a fault"
            )

    def close(self) -> None:
        """Leave the broker. Safe to call twice."""
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, _c: paho.Client, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        if why := mqtt.refusal(reason):
            self.refused = why
        else:
            self.client.subscribe([(topic, 0) for topic in self._topics])
            self._connected()

    def _on_message(self, _c: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        try:
            self._hear(message.topic, bytes(message.payload))  # the topic may be no UTF-8
        except Exception as e:
            log.warning("a message from the broker is left out (%s: %s)", type(e).__name__, e)


@contextmanager
def listening(
    address: BrokerAddress,
    client_id: str,
    topics: Sequence[str],
    hear: Callable[[str, bytes], None],
    timeout_s: float = _ANSWER_S,
) -> Iterator[Listener]:
    """Listen for the duration of the block. Raises BenchError where there is no broker, or it does not answer."""
    listener = Listener(address, client_id, topics, hear)
    listener.start()
    try:
        listener.wait(timeout_s)
        yield listener
    finally:
        listener.close()
