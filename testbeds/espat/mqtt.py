"""Runs the module's real MQTT client: paho, QoS 0, TCP_NODELAY; its host drives it, not a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import time
from collections import deque
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

log = logging.getLogger(__name__)

CONNECT_S, ACKNOWLEDGE_S = 10.0, 10.0


def publish_bytes(topic: str, payload_bytes: int) -> int:
    """Return the size of an MQTT 3.1.1 PUBLISH packet with QoS 0 (section 3.3): fixed header, topic, payload."""
    body = 2 + len(topic.encode()) + payload_bytes
    length_bytes = 1 + (body >= 1 << 7) + (body >= 1 << 14) + (body >= 1 << 21)
    return 1 + length_bytes + body


class MqttClient:
    """Holds one connection to a broker. `messages` holds what has come in: (topic, payload)."""

    def __init__(self) -> None:
        self.messages: deque[tuple[str, bytes]] = deque()
        self._client: Any = None
        self._refused = False
        self._acknowledged: set[int] = set()
        self._last_misc = 0.0

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected()

    def fileno(self) -> int | None:
        """Return the socket to wait on, or None when there is none."""
        s = self._client.socket() if self._client is not None else None
        return None if s is None else int(s.fileno())

    def connect(
        self, host: str, port: int, client: str, user: str, password: str, *, context: ssl.SSLContext | None = None
    ) -> bool:
        """Connect, by TLS where a context is given, and wait for the broker's word. Returns False when it can't be
        reached or refuses.
        """
        self.close()
        self._refused = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client, protocol=mqtt.MQTTv311, reconnect_on_failure=False
        )
        if user:
            self._client.username_pw_set(user, password)
        if context is not None:
            self._client.tls_set_context(context)
        self._client.connect_timeout = CONNECT_S
        self._client.on_socket_open = _no_delay
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda _c, _u, mid, _codes, _p: self._acknowledged.add(mid)
        self._client.on_connect = self._on_connect
        try:
            self._client.connect(host, port, keepalive=600)
        except (OSError, ValueError) as e:
            log.warning("broker %s:%d: %s", host, port, e)
            self.close()
            return False
        self._wait(lambda: self.connected or self._refused, ACKNOWLEDGE_S)
        if not self.connected:
            self.close()
        return self.connected

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            log.warning("the broker refuses: %s", code)
            self._refused = True

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            self.messages.append((message.topic, bytes(message.payload)))
        except UnicodeDecodeError:  # no topic of ours, so no message for the device
            log.warning("a message with a topic that is no UTF-8 is left out")

    def subscribe(self, topic: str) -> bool:
        if not self.connected:
            return False
        result, mid = self._client.subscribe(topic, qos=0)
        return result == mqtt.MQTT_ERR_SUCCESS and self._wait(lambda: mid in self._acknowledged, ACKNOWLEDGE_S)

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        if not self.connected:
            return False
        try:
            info = self._client.publish(topic, payload, qos=qos, retain=retain)
        except ValueError:  # a topic with wildcards
            return False
        deadline = time.monotonic() + ACKNOWLEDGE_S
        while self._client.want_write() and self.connected and time.monotonic() < deadline:
            select.select([], [self._client.socket()], [], 0.5)
            self._client.loop_write()
        return bool(info.rc == mqtt.MQTT_ERR_SUCCESS and self.connected)

    def service(self) -> None:
        """Take in what has come, without ever waiting."""
        if self._client is None:
            return
        while (number := self.fileno()) is not None and (self._decrypted() or select.select([number], [], [], 0)[0]):
            if self._client.loop_read() != mqtt.MQTT_ERR_SUCCESS:
                break
        if self._client.want_write() and self.fileno() is not None:
            self._client.loop_write()
        if time.monotonic() - self._last_misc > 1.0:
            self._last_misc = time.monotonic()
            self._client.loop_misc()

    def _decrypted(self) -> bool:
        """Tell whether TLS holds bytes that no `select` sees."""
        s = self._client.socket()
        return isinstance(s, ssl.SSLSocket) and s.pending() > 0

    def cut(self) -> None:
        """Cut the network, so that no goodbye reaches the broker."""
        s = self._client.socket() if self._client is not None else None
        if s is not None:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self.close()

    def _wait(self, done: Any, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not done():
            number = self.fileno()
            left = deadline - time.monotonic()
            if number is None or left <= 0:
                return bool(done())
            select.select([number], [number] if self._client.want_write() else [], [], min(left, 0.5))
            self.service()
        return True

    def close(self) -> None:
        """Say goodbye and close the socket. It is safe to call this twice."""
        if self._client is not None:
            client, self._client = self._client, None
            client.disconnect()
            if client.socket() is not None:
                client.loop_write()
        self.messages.clear()
        self._acknowledged.clear()


def _no_delay(_client: Any, _data: Any, sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
