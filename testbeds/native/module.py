"""The Wi-Fi module's stand-in in host time: a thread between the firmware's socket and the real broker."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from dataclasses import dataclass

from testbeds.espat.module import AtModule, ModuleHost, ModuleTiming
from testbeds.espat.mqtt import MqttClient, publish_bytes

log = logging.getLogger(__name__)

_WAIT_S = 0.2  # how soon a stop is noticed
_PS_PER_NS = 1000


@dataclass
class Traffic:
    """Bytes since the last `reset_traffic`."""

    serial_up: int = 0  # firmware -> module
    serial_down: int = 0
    mqtt_up: int = 0  # MQTT packet bytes module -> broker
    mqtt_down: int = 0


class HostTimeModule(ModuleHost):
    """Serves one end of a socket pair until `close`. Adds no processing times of its own."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._mqtt = MqttClient()
        self._stop = threading.Event()
        self.traffic = Traffic()
        self.module = AtModule(self, ModuleTiming(command_us=0, publish_us=0, receive_us=0, join_ms=0))
        self._thread = threading.Thread(target=self._serve, name="wifi-module", daemon=True)
        self._thread.start()

    def reset_traffic(self) -> None:
        """Count from zero."""
        self.traffic = Traffic()

    def close(self) -> None:
        """Stop the thread and leave the broker. Safe to call twice."""
        self._stop.set()
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join(timeout=10)
        self._line.close()

    def _serve(self) -> None:
        was_connected = False
        try:
            while not self._stop.is_set():
                number = self._mqtt.fileno()
                readable = [self._line.fileno()] + ([] if number is None else [number])
                ready, _, _ = select.select(readable, [], [], _WAIT_S)
                if self._line.fileno() in ready and not self._take_serial():
                    break
                self._mqtt.service()
                while self._mqtt.messages:
                    topic, payload = self._mqtt.messages.popleft()
                    self.traffic.mqtt_down += publish_bytes(topic, len(payload))
                    self.module.message(topic, payload, _now())
                if was_connected and not self._mqtt.connected:
                    self.module.lost(_now())
                was_connected = self._mqtt.connected
        except OSError as e:
            if not self._stop.is_set():
                log.warning("the module's line to the firmware broke: %s", e)
        finally:
            self._mqtt.close()

    def _take_serial(self) -> bool:
        data = self._line.recv(65536)
        self.traffic.serial_up += len(data)
        self.module.feed(data, _now())
        return bool(data)

    # --- ModuleHost ---
    def send(self, data: bytes, at: int) -> int:
        self.traffic.serial_down += len(data)
        self._line.sendall(data)
        return max(at, _now())

    def set_baud(self, baud: int, at: int) -> None:
        pass  # a socket has no rate

    def connect(self, at: int, host: str, port: int, client: str, user: str, password: str) -> bool:
        return self._mqtt.connect(host, port, client, user, password)

    def subscribe(self, at: int, topic: str) -> bool:
        return self._mqtt.subscribe(topic)

    def publish(self, at: int, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        self.traffic.mqtt_up += publish_bytes(topic, len(payload))
        return self._mqtt.publish(topic, payload, qos, retain)

    def disconnect(self, at: int) -> None:
        self._mqtt.close()


def _now() -> int:
    """Picoseconds of the host's monotonic clock."""
    return time.monotonic_ns() * _PS_PER_NS
