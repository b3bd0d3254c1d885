"""Models the air around the stand-in: an access point, and behind it TCP, TLS and MQTT for the chip's process.

The messages to and from the process are described in idf/radio.c.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import struct
import threading
from collections import deque
from dataclasses import dataclass

from testbeds.espat.mqtt import MqttClient, publish_bytes

log = logging.getLogger(__name__)

MESSAGE_MAX = 160 * 1024
MOST_PPM = 100_000
_WAIT_S = 0.1  # how soon a stop or a change of the access point is noticed
BEACON_TIMEOUT, NO_AP_FOUND, AUTH_FAIL = 200, 201, 202  # wifi_err_reason_t of ESP-IDF
_SEARCH_S = 0.2  # what a station takes to find that there is no network
MARKER_PINS = (25, 26, 27)  # bits 0, 1, 2 (ports/esp32/port_esp32.c)


@dataclass
class AccessPoint:
    """Describes the network in reach, which may change at any time; it takes any name or password where none is set."""

    ssid: str | None = None
    password: str | None = None
    up: bool = True
    rssi_dbm: int = -50
    channel: int = 6

    def called(self, ssid: bytes) -> bool:
        """Tell whether the network is in reach under this name."""
        return self.up and self.ssid in (None, ssid.decode("utf-8", "replace"))

    def admits(self, password: bytes) -> bool:
        """Tell whether this is the network's password."""
        return self.password in (None, password.decode("utf-8", "replace"))


@dataclass
class Traffic:
    """Counts MQTT packet bytes since the last `Radio.reset_traffic`."""

    mqtt_up: int = 0
    mqtt_down: int = 0


class Radio:
    """Serves the process of one boot until `close` or until it ends."""

    def __init__(self, line: socket.socket, access_point: AccessPoint) -> None:
        self.traffic = Traffic()
        self.markers: deque[tuple[int, int]] = deque(maxlen=4096)  # marker code, chip time in ns
        self.no_delay = False  # TCP_NODELAY was asked for
        self._line = line
        self._point = access_point
        self._mqtt = MqttClient()
        self._joined = False
        self._was_connected = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="esp32-radio", daemon=True)
        self._thread.start()

    def drift(self, ppm: int) -> None:
        """Make the chip's clock run fast by `ppm` parts per million."""
        if abs(ppm) > MOST_PPM:
            raise ValueError(f"a clock drifts by {MOST_PPM} ppm at most")
        self._say(b"p" + struct.pack("<i", ppm))

    def reset_traffic(self) -> None:
        """Count the traffic from zero again."""
        self.traffic = Traffic()

    def close(self) -> None:
        """Leave the network. It is safe to call this twice."""
        self._stop.set()
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=15)
        self._line.close()

    def _serve(self) -> None:
        try:
            while not self._stop.is_set():
                number = self._mqtt.fileno()
                ready, _, _ = select.select([self._line, *([] if number is None else [number])], [], [], _WAIT_S)
                if self._line in ready:
                    message = self._line.recv(MESSAGE_MAX)
                    if not message:
                        break
                    self._obey(message[:1], message[1:])
                self._look_around()
        except OSError as e:
            if not self._stop.is_set():
                log.info("the radio's line to the chip broke: %s", e)
        except Exception:
            log.exception("the radio's stand-in has ended; its chip is told that the line is gone")
        finally:
            self._mqtt.close()
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def _look_around(self) -> None:
        if self._joined and not self._point.up:
            self._joined = False
            self._mqtt.cut()
            self._say(bytes((ord("k"), BEACON_TIMEOUT)))
        self._mqtt.service()
        while self._mqtt.messages:
            topic, payload = self._mqtt.messages.popleft()
            self.traffic.mqtt_down += publish_bytes(topic, len(payload))
            self._say(b"m" + topic.encode() + b"\0" + payload)
        if self._was_connected and not self._mqtt.connected:
            self._say(b"x")
        self._was_connected = self._mqtt.connected

    def _obey(self, kind: bytes, data: bytes) -> None:
        match kind:
            case b"J":
                self._join(data[:32].rstrip(b"\0"), data[32:].rstrip(b"\0"))
            case b"L":
                self._joined = False
                self._hang_up()
                self._say(bytes((ord("k"), 8)))
            case b"C":
                self._connect(data)
            case b"D":
                self._hang_up()
            case b"S":
                self._say(b"s" if self._mqtt.subscribe(data.decode("utf-8", "replace")) else b"x")
            case b"P":
                topic, _, payload = data.partition(b"\0")
                self.traffic.mqtt_up += publish_bytes(topic.decode("utf-8", "replace"), len(payload))
                self._mqtt.publish(topic.decode("utf-8", "replace"), payload, 0, False)
            case b"G":
                pins, at_ns = struct.unpack("<Iq", data)
                self.markers.append((sum((pins >> pin & 1) << bit for bit, pin in enumerate(MARKER_PINS)), at_ns))
            case b"N":
                self.no_delay = True
            case _:
                log.warning("the chip's process says %r", kind)

    def _join(self, ssid: bytes, password: bytes) -> None:
        known = self._point.called(ssid)
        self._joined = known and self._point.admits(password)
        if self._joined:
            self._say(b"j" + struct.pack("<bB", self._point.rssi_dbm, self._point.channel))
        else:
            self._stop.wait(_SEARCH_S)
            self._say(bytes((ord("k"), AUTH_FAIL if known else NO_AP_FOUND)))

    def _connect(self, data: bytes) -> None:
        host, port, client, user, password, certificate = data.split(b"\0", 5)
        texts = [one.decode("utf-8", "replace") for one in (host, client, user, password)]
        try:
            context = None
            if certificate:
                context = ssl.create_default_context(cadata=certificate)
            done = self._joined and self._mqtt.connect(texts[0], int(port), *texts[1:], context=context)
        except (ssl.SSLError, ValueError) as e:
            log.warning("TLS to the broker: %s", e)
            done = False
        self._was_connected = done
        self._say(b"c" if done else b"x")

    def _hang_up(self) -> None:
        self._mqtt.close()
        self._was_connected = False

    def _say(self, message: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the process has ended: `_serve` sees it
            self._line.send(message)
