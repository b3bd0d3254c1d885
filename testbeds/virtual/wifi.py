"""Runs the ESP-AT module on USART6 in virtual time: serial pacing, the virtual link, and the real broker behind it."""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from testbeds.espat.host import ModuleHost, ModuleTiming
from testbeds.espat.module import FACTORY_BAUD, AtModule
from testbeds.espat.mqtt import MqttClient, publish_bytes
from testbeds.espat.uart import FRAME_BITS, Receiver
from testbeds.timebase import MICROSECOND, MILLISECOND, SECOND
from testbeds.virtual.answers import is_answer
from testbeds.virtual.devices.usart import Usart
from testbeds.virtual.link import Passage, VirtualLink
from testbeds.virtual.vtime import VirtualTime

log = logging.getLogger(__name__)

SOON_T = 2 * MILLISECOND  # the module's usual answers: the line keeps their order by itself
FIFO_BYTES = 128  # what a UART of the ESP32 holds (ESP-IDF: SOC_UART_FIFO_LEN)
RTS_BYTES = 120  # where ESP-AT has its RTS go up (esp-at b49e4b98, at_uart_cmd.c: uart_set_hw_flow_ctrl)
BAUD_TOLERANCE = 0.04  # a receiver of 10-bit frames loses the stop bit beyond about 4 %


@dataclass
class WifiLog:
    """Logs what passed since the log was last cleared. Times are in ms of virtual time."""

    serial_up_bytes: int = 0
    serial_down_bytes: int = 0
    serial_up_ms: float = 0.0  # time that the line was busy
    serial_down_ms: float = 0.0
    garbled: int = 0
    overrun: int = 0  # bytes for which the module's receiver had no room
    messages: list[dict[str, Any]] = field(default_factory=list)
    failure: str = ""


class VirtualModule(ModuleHost):
    """Hosts the module between USART6 and the broker.

    Args:
        wait_host: called as `wait_host(fd, seconds)`; waits in host time until `fd` can be read, while control commands
            are served. Returns when readable or over time.
    """

    def __init__(
        self,
        usart: Usart,
        clock: VirtualTime,
        link: VirtualLink,
        timing: ModuleTiming,
        wait_host: Callable[[int | None, float], None],
    ) -> None:
        self._usart, self._time, self.link = usart, clock, link
        self._wait_host = wait_host
        self.module = AtModule(self, timing)
        self.rts: Callable[[bool | None], None] = lambda _level: None  # the pin that says "wait"; None: not driven
        self.rts_wired, self.en_wired, self._enabled = True, False, True
        self._fifo = bytearray()  # what its driver has not taken from the receiver yet
        self._stalled_until = 0
        self._stall_t = 0  # how long the driver is held up when the next payload begins
        self.mqtt = MqttClient()
        self.remote_ms: float | None = None  # a pinned service time; with None the host's own waiting time is charged
        self.watchdog_s = 20.0  # host time that a reply may take
        self.log = WifiLog()
        self._baud = FACTORY_BAUD
        self._receiver = Receiver(self._frame_t())  # what the module hears of bytes at another rate
        self._pending: list[tuple[str, bytes]] = []  # messages on their way down the link
        self._later: list[tuple[int, int, bytes]] = []  # when, in which order, what the module will say
        self._order = 0
        usart.on_byte = self._from_device

    # --- serial line ---
    def _frame_t(self) -> int:
        return FRAME_BITS * SECOND // self._baud

    def _from_device(self, byte: int, start: int, end: int) -> None:
        if abs((end - start) / self._frame_t() - 1) > BAUD_TOLERANCE:
            self.log.garbled += 1
            self._hear(self._receiver.take(byte, start, end), end)
            return
        if self._receiver.open:
            self._hear(self._receiver.idle(start), start)
        self.log.serial_up_bytes += 1
        self.log.serial_up_ms += (end - start) / MILLISECOND
        self._hear(bytes([byte]), end)

    def _hear(self, data: bytes, at: int) -> None:
        """Take bytes into the receiver's 128 bytes, and out of them unless the module's driver is held up."""
        if self._stall_t and self.module.raw_bytes_awaited:
            self._stalled_until, self._stall_t = at + self._stall_t, 0
            self._time.at(self._stalled_until, self._drain)
        if at < self._stalled_until:
            room = FIFO_BYTES - len(self._fifo)
            self.log.overrun += max(0, len(data) - room)
            self._fifo += data[:room]
        else:
            self.module.feed(data, at)
        self._show_rts()

    def _drain(self, t: int) -> None:
        if t >= self._stalled_until:
            data = bytes(self._fifo)
            self._fifo.clear()
            self.module.feed(data, t)
            self._show_rts()

    def _show_rts(self) -> None:
        driven = self.rts_wired and self.module.flow & 1
        self.rts(len(self._fifo) >= RTS_BYTES if driven else None)

    def enable(self, level: bool) -> None:
        """Set the device's pin at the module's EN, where it is wired: high after low restarts the module."""
        if self.en_wired and level and not self._enabled:
            self.module.reboot(self._time.now_t)
        self._enabled = level

    def send(self, data: bytes, at: int) -> int:
        """Send bytes to USART6 at the module's baud rate, as its ModuleHost. The device hears them at its own rate."""
        device, frame_t = self._usart.baud, self._frame_t()
        if at - self._time.now_t > SOON_T:
            self._order += 1
            heapq.heappush(self._later, (at, self._order, data))
            self._time.at(at, self._speak)
            return at + len(data) * frame_t
        if not device or abs(device / self._baud - 1) > BAUD_TOLERANCE:
            self.log.garbled += len(data)
            end = at + len(data) * frame_t
            if device:
                heard = Receiver(self._usart.frame_t())
                out = b"".join(heard.take(b, at + k * frame_t, at + (k + 1) * frame_t) for k, b in enumerate(data))
                self._usart.deliver(out + heard.idle(end + self._usart.frame_t()), at)
            return end
        self.log.serial_down_bytes += len(data)
        self.log.serial_down_ms += len(data) * frame_t / MILLISECOND
        return self._usart.deliver(data, at, frame_t)

    def _speak(self, t: int) -> None:
        """Say what is due: what the module says of a long command must not hold back what it says meanwhile."""
        while self._later and self._later[0][0] <= t:
            self.send(heapq.heappop(self._later)[2], t)

    def set_baud(self, baud: int, at: int) -> None:
        self._next_baud = baud
        self._time.at(at, self._switch_baud)

    _next_baud = FACTORY_BAUD

    def _switch_baud(self, _t: int) -> None:
        self._baud = self._next_baud
        self._receiver = Receiver(self._frame_t())
        self._show_rts()

    # --- broker ---
    def connect(self, at: int, host: str, port: int, client: str, user: str, password: str) -> bool:
        return self.mqtt.connect(host, port, client, user, password)

    def subscribe(self, at: int, topic: str) -> bool:
        return self.mqtt.subscribe(topic)

    def disconnect(self, at: int) -> None:
        self.mqtt.close()

    def publish(self, at: int, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        """Publish for real now; in virtual time the packet starts at `at`, and the edge's answer is waited for."""
        self.service(at)
        started = time.monotonic()
        size, write = publish_bytes(topic, len(payload)), self.module.timing.write_bytes
        passage = self.link.send_in_writes("up", size, at, write)
        if passage.lost:
            self._note("up", topic, payload, passage)
            return self._given_up(passage)
        if not self.mqtt.publish(topic, payload, qos, retain):
            self.log.failure = "the broker has gone away"
            self._time.at(at, self._lost)
            return False
        self._note("up", topic, payload, passage)
        if self.module.subscribed:
            self._published_wall, self._published, self._published_note = started, payload, self.log.messages[-1]
            wait = 0 if self.remote_ms is None else round(self.remote_ms * SECOND / 1000)
            self._time.at(passage.arrived + wait, self._answer_due)
        return True

    _published_wall, _published = 0.0, b""
    _published_note: dict[str, Any]

    def _answer_due(self, t: int) -> None:
        """Stand still at `t` of virtual time, when the edge is done, until its answer is here in host time."""
        deadline = time.monotonic() + self.watchdog_s
        self.mqtt.service()
        while True:
            while not self.mqtt.messages:
                left = deadline - time.monotonic()
                if not self.mqtt.connected:
                    self.log.failure = "the broker closed the connection while a reply was awaited"
                    self._lost(t)
                    return
                if left <= 0:
                    self.log.failure = f"no reply from the edge within {self.watchdog_s:g} s of wall time"
                    return
                self._wait_host(self.mqtt.fileno(), min(left, 1.0))
                self.mqtt.service()
            wall_ms = (time.monotonic() - self._published_wall) * 1e3
            self._published_note["remote_wall_ms"] = wall_ms
            topic, payload = self.mqtt.messages.popleft()
            self._come_down(topic, payload, t if self.remote_ms is not None else t + round(wall_ms * SECOND / 1000))
            if is_answer(self._published, payload):
                return  # what comes before the answer (late, damaged, of others) goes down the link too

    def _come_down(self, topic: str, payload: bytes, at: int) -> None:
        passage = self.link.send("down", publish_bytes(topic, len(payload)), at)
        self._note("down", topic, payload, passage)
        if passage.lost:
            self._given_up(passage)
            return
        self._pending.append((topic, payload))
        self._time.at(passage.arrived, self._arrived)

    def _given_up(self, passage: Passage) -> bool:
        """Note that TCP gave a message up, and with it the connection. Returns True, as nobody knows it yet."""
        self.log.failure = f"TCP gave a message up after {passage.repeated} repeated segments"
        self._time.at(passage.arrived, self._lost)
        return True

    def _arrived(self, t: int) -> None:
        topic, payload = self._pending.pop(0)
        self.module.message(topic, payload, t)

    def _lost(self, t: int) -> None:
        self.module.lost(t)

    def service(self, now: int) -> bool:
        """Take in messages that nobody awaited. Returns whether there were any."""
        self.mqtt.service()
        any_came = bool(self.mqtt.messages)
        while self.mqtt.messages:
            self._come_down(*self.mqtt.messages.popleft(), now)
        if self.module.connected and not self.mqtt.connected:
            self.log.failure = self.log.failure or "the broker closed the connection"
            self._lost(now)
            any_came = True
        return any_came

    # --- log ---
    def _note(self, way: str, topic: str, payload: bytes, passage: Passage) -> None:
        self.log.messages.append(
            {
                "way": way,
                "topic": topic,
                "payload_bytes": len(payload),
                "mqtt_bytes": publish_bytes(topic, len(payload)),
                "wire_bytes": passage.wire_bytes,
                "sent_ms": passage.sent / MILLISECOND,
                "arrived_ms": passage.arrived / MILLISECOND,
                "link_ms": (passage.arrived - passage.sent) / MILLISECOND,
                "repeated_segments": passage.repeated,
            }
        )

    def read_log(self) -> dict[str, Any]:
        return asdict(self.log) | {"timing": asdict(self.module.timing), "baud": self._baud}

    def clear_log(self) -> None:
        self.log = WifiLog()

    # --- snapshot: the connection itself lives on ---
    def state(self) -> dict[str, Any]:
        return {
            "module": self.module.state(), "baud": self._baud, "next": self._next_baud,
            "pending": list(self._pending), "later": list(self._later), "link": self.link.state(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a snapshot. Messages that came for an earlier sample are dropped: that sample is over."""
        self.module.restore(state["module"])
        self._baud, self._next_baud = state["baud"], state["next"]
        self._receiver = Receiver(self._frame_t())
        self._pending, self._later = list(state["pending"]), list(state["later"])
        self.link.restore(state["link"])
        self._fifo.clear()
        self._stalled_until = 0
        self._show_rts()
        self.mqtt.service()
        self.mqtt.messages.clear()
        self.clear_log()

    def reset(self) -> None:
        """Start anew with the board and time at zero: the module is powered up again, the link's queues are empty."""
        self.mqtt.close()
        self.module.reset()
        self.link.reset()
        self._baud = self._next_baud = self.module.baud
        self._receiver = Receiver(self._frame_t())
        self._fifo.clear()
        self._stalled_until = 0
        self._show_rts()
        self._pending.clear()
        self._later.clear()
        self.clear_log()

    def trouble(self, faults: dict[str, Any]) -> None:
        """Make trouble, for tests: `raw` bytes of a publish are awaited, it is busy for `busy_ms`, it has `lost` its
        connection, its driver takes nothing from the receiver for `stall_us` from the next payload on, it talks at
        another `rate`; and which of its pins are wired. For a comparison, also the `write_bytes` of its MQTT client.
        """
        now = self._time.now_t
        if "write_bytes" in faults:
            self.module.timing = replace(self.module.timing, write_bytes=int(faults["write_bytes"]))
        if "raw" in faults:
            self.module.feed(f'AT+MQTTPUBRAW=0,"t",{int(faults["raw"])},0,0\r\n'.encode(), now)
        if "busy_ms" in faults:
            self.module.hold(now, now + round(float(faults["busy_ms"]) * MILLISECOND))
        if "stall_us" in faults:
            self._stall_t = round(float(faults["stall_us"]) * MICROSECOND)
        if "rate" in faults:
            self.module.feed(f"AT+UART_CUR={int(faults['rate'])},8,1,0,0\r\n".encode(), now)
        self.rts_wired = bool(faults.get("rts_wired", self.rts_wired))
        self.en_wired = bool(faults.get("en_wired", self.en_wired))
        if "lost" in faults:
            self.mqtt.close()
            self.module.lost(now)

    def device_was_reset(self, before: int) -> None:
        """Go on as it was when the board alone is reset, at `before` of the time that now starts anew."""
        self._baud = self._next_baud
        self._receiver = Receiver(self._frame_t())
        self.link.reset()
        self._pending.clear()  # what was on the air is lost
        self.module.shift(-before)
        self.module.feed(bytes(self._fifo), 0)
        self._fifo.clear()
        self._stalled_until = 0
        self._show_rts()
        self._later = [(max(0, at - before), order, data) for at, order, data in self._later]
        for at, _order, _data in self._later:
            self._time.at(at, self._speak)
        self.clear_log()

    def close(self) -> None:
        self.mqtt.close()
