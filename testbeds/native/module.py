"""Runs the Wi-Fi module's stand-in in host time: a thread between the firmware's socket and the real broker."""

from __future__ import annotations

import contextlib
import heapq
import logging
import queue
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from testbeds.espat.host import ModuleHost, ModuleTiming
from testbeds.espat.module import AtModule
from testbeds.espat.mqtt import MqttClient, publish_bytes
from testbeds.timebase import SECOND

log = logging.getLogger(__name__)

_WAIT_S = 0.2  # how soon a stop is noticed


@dataclass
class Traffic:
    """Counts bytes since the last `reset_traffic`."""

    serial_up: int = 0  # firmware -> module
    serial_down: int = 0
    mqtt_up: int = 0  # MQTT packet bytes module -> broker
    mqtt_down: int = 0


NO_TIMES = ModuleTiming(
    command_us=0, publish_us=0, receive_us=0, join_ms=0, boot_ms=0, clean_ms=0, clean_lost_ms=0, beacon_ms=0
)


class HostTimeModule(ModuleHost):
    """Runs a module with a supply of its own: it is on from its making to `close`, whatever becomes of the device.

    Args:
        timing: the module's own processing times; by default it takes none.
    """

    def __init__(self, timing: ModuleTiming = NO_TIMES) -> None:
        self._line: socket.socket | None = None
        self._mqtt = MqttClient()
        self._stop = threading.Event()
        self.traffic = Traffic()
        self._later: list[tuple[int, int, bytes]] = []  # when, in which order, what it will say
        self._order = 0
        self._asked: queue.SimpleQueue[Callable[[AtModule, int], None]] = queue.SimpleQueue()
        self._bell, self._ear = socket.socketpair()  # wakes the thread
        self.lose_after: int | None = None  # a fault: only so many bytes of the next payload come through
        self.module = AtModule(self, timing)
        self._thread = threading.Thread(target=self._serve, name="wifi-module", daemon=True)
        self._thread.start()

    def attach(self, line: socket.socket) -> None:
        """Wire a device to the module, in place of the one before. The module takes no notice."""

        def wire(_module: AtModule, _now: int) -> None:
            self._unwire()
            self._line = line

        self.do(wire)

    def do(self, what: Callable[[AtModule, int], None]) -> None:
        """Have the module's own thread call `what(module, now)`: a reboot, a lost network. Returns at once."""
        self._asked.put(what)
        self._bell.send(b"!")

    @property
    def alive(self) -> bool:
        """Tell whether the module's thread still serves."""
        return self._thread.is_alive()

    def reset_traffic(self) -> None:
        """Count the traffic from zero again."""
        self.traffic = Traffic()

    def close(self) -> None:
        """Stop the thread and leave the broker. It is safe to call this twice."""
        self._stop.set()
        with contextlib.suppress(OSError):
            self._bell.send(b"!")
        self._thread.join(timeout=10)
        for one in (self._bell, self._ear):
            one.close()

    def _serve(self) -> None:
        was_connected = False
        try:
            while not self._stop.is_set():
                for number in self._ready():
                    if number == self._ear.fileno():
                        self._ear.recv(64)
                    elif self._line is not None and number == self._line.fileno():
                        self._take_serial()
                while not self._asked.empty():
                    self._asked.get()(self.module, _now())
                self._mqtt.service()
                while self._mqtt.messages:
                    topic, payload = self._mqtt.messages.popleft()
                    self.traffic.mqtt_down += publish_bytes(topic, len(payload))
                    self.module.message(topic, payload, _now())
                if was_connected and not self._mqtt.connected:
                    self.module.lost(_now())
                was_connected = self._mqtt.connected
                self._say_what_is_due()
        except OSError as e:
            if not self._stop.is_set():
                log.warning("the module stopped: %s", e)
        except Exception:
            log.exception("the Wi-Fi module's stand-in has ended; its firmware is told that the line is gone")
        finally:
            self._mqtt.close()
            self._unwire()

    def _ready(self) -> list[int]:
        """Wait for the device, the broker, a call or the next thing to say, and return what is ready."""
        readable = [self._ear.fileno()]
        readable += [] if self._line is None else [self._line.fileno()]
        broker = self._mqtt.fileno()
        readable += [] if broker is None else [broker]
        wait_s = _WAIT_S
        if self._later:
            wait_s = min(wait_s, max(0.0, (self._later[0][0] - _now()) / SECOND))
        return select.select(readable, [], [], wait_s)[0]

    def _take_serial(self) -> None:
        assert self._line is not None
        try:
            data = self._line.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._unwire()  # the device has gone: the module stays as it is
            return
        self.traffic.serial_up += len(data)
        if self.module.raw_bytes_awaited and self.lose_after is not None:
            data, self.lose_after = data[: self.lose_after], None
        self.module.feed(data, _now())

    def _say_what_is_due(self) -> None:
        while self._later and self._later[0][0] <= _now():
            data = heapq.heappop(self._later)[2]
            if self._line is not None:
                self.traffic.serial_down += len(data)
                try:
                    self._line.sendall(data)
                except OSError:
                    self._unwire()

    def _unwire(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    # --- ModuleHost ---
    def send(self, data: bytes, at: int) -> int:
        self._order += 1
        heapq.heappush(self._later, (at, self._order, data))
        self._say_what_is_due()
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
    """Return the time on the host's monotonic clock, in units of testbeds.timebase."""
    return time.monotonic_ns() * (SECOND // 10**9)
