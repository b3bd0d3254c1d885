"""The module's protocol: bytes from the device in, bytes to the device and messages to the broker out.

It knows no clock: every call says when it happens, in units of testbeds.timebase, and everything it does has a time.
Its host (`ModuleHost`) moves the bytes. Commands are those of the ESP-AT user guide for the ESP32 family, v3.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from testbeds.espat.arguments import BadArguments, split_arguments
from testbeds.timebase import MICROSECOND

log = logging.getLogger(__name__)

MAX_LINE = 256  # a command line, its line end included, is at most this long (ESP-AT user guide)
FACTORY_BAUD = 115_200
MIN_BAUD, MAX_BAUD = 80, 5_000_000
US = MICROSECOND


@dataclass(frozen=True)
class ModuleTiming:
    """How long the module itself takes. Assumed, not measured: no two firmware builds agree; a bench file sets them."""

    command_us: float = 200.0  # from the end of a command to its answer
    publish_us: float = 500.0  # from the last payload byte to the packet's start on the air
    receive_us: float = 500.0  # from a packet's end on the air to the first byte to the device
    join_ms: float = 1500.0  # AT+CWJAP
    max_publish_bytes: int = 65_552  # AT's own default is smaller: an ESP32 build sets its MQTT buffers


class ModuleHost(ABC):
    """What hosts the module. Times in units of testbeds.timebase on the host's clock."""

    @abstractmethod
    def send(self, data: bytes, at: int) -> int:
        """Bytes to the device, starting at `at` or behind what is still being sent. Returns when the last one ends."""

    @abstractmethod
    def set_baud(self, baud: int, at: int) -> None:
        """The module's UART runs at `baud` from `at` on."""

    @abstractmethod
    def connect(self, at: int, host: str, port: int, client: str, user: str, password: str) -> bool:
        """Connect to the broker; False when it can't be reached or refuses."""

    @abstractmethod
    def subscribe(self, at: int, topic: str) -> bool:
        """Subscribe with QoS 0; False when the broker refuses."""

    @abstractmethod
    def publish(self, at: int, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        """Publish; the packet starts on the air at `at`. False when there is no connection."""

    @abstractmethod
    def disconnect(self, at: int) -> None:
        """Close the connection to the broker."""


class AtModule:
    """One module, from its power-up."""

    def __init__(self, host: ModuleHost, timing: ModuleTiming | None = None) -> None:
        self._host, self.timing = host, timing or ModuleTiming()
        self.noise: Callable[[int], bytes] = lambda _at: b""  # for tests: unsolicited lines between any two lines
        self.reset()

    def reset(self) -> None:
        """As after power-up."""
        self.baud = FACTORY_BAUD
        self.echo = True
        self.joined = self.connected = False
        self.user: tuple[str, str, str] | None = None
        self.subscribed: tuple[str, ...] = ()
        self._line = bytearray()
        self._too_long = False
        self._raw_left = 0  # payload bytes of AT+MQTTPUBRAW still to come
        self._raw = bytearray()
        self._raw_topic: tuple[str, int, bool] = ("", 0, False)
        self._busy_until = 0

    _KEPT = (
        "baud", "echo", "joined", "connected", "user", "subscribed", "_too_long", "_raw_left", "_raw_topic",
        "_busy_until",
    )  # fmt: skip

    def state(self) -> dict[str, object]:
        """For a snapshot."""
        kept: dict[str, object] = {name: getattr(self, name) for name in self._KEPT}
        return kept | {"_line": bytes(self._line), "_raw": bytes(self._raw)}

    def restore(self, state: dict[str, object]) -> None:
        for name in self._KEPT:
            setattr(self, name, state[name])
        self._line, self._raw = bytearray(state["_line"]), bytearray(state["_raw"])  # type: ignore[call-overload]

    # --- from the device ---
    def feed(self, data: bytes, at: int) -> None:
        """Bytes from the device; the last one's stop bit ends at `at`."""
        for byte in data:
            if self._raw_left:
                self._raw.append(byte)
                self._raw_left -= 1
                if not self._raw_left:
                    self._publish_raw(at)
            elif byte == 0x0A:
                self._end_of_line(at)
            elif len(self._line) >= MAX_LINE - 1:
                self._too_long = True
                self._line[-1] = byte  # so that the line's end is still seen
            else:
                self._line.append(byte)

    def _end_of_line(self, at: int) -> None:
        line, too_long = bytes(self._line), self._too_long
        self._line.clear()
        self._too_long = False
        if not line.endswith(b"\r"):
            return  # the module acts on CR LF only
        line = line[:-1]
        if not line and not too_long:
            return
        if self.echo:
            self._host.send(line + b"\r\n", at)
        if at < self._busy_until:
            self._host.send(b"busy p...\r\n", at)
            return
        answer_at = at + int(self.timing.command_us * US)
        try:
            if too_long:
                raise BadArguments("the line is too long")
            self._command(line.decode("utf-8"), answer_at)
        except (BadArguments, UnicodeDecodeError) as e:
            log.debug("ERROR for %r: %s", line[:40], e)
            self._say("ERROR", answer_at)

    def _say(self, text: str, at: int) -> int:
        """An answer line, after any unsolicited ones that a test injects."""
        self._busy_until = max(self._busy_until, at)
        return self._host.send(self.noise(at) + f"\r\n{text}\r\n".encode(), at)

    # --- commands ---
    def _command(self, line: str, at: int) -> None:
        name, _, rest = line.partition("=")
        plain: dict[str, Callable[[], object]] = {
            "AT": lambda: self._say("OK", at),
            "ATE0": lambda: self._set_echo(False, at),
            "ATE1": lambda: self._set_echo(True, at),
            "AT+GMR": lambda: self._say("AT version:3.2.0.0(emulated)\r\nSDK version:none\r\n\r\nOK", at),
            "AT+RST": lambda: self._restart(at),
            "AT+CWQAP": lambda: self._leave(at),
        }
        if line in plain:
            plain[line]()
            return
        handlers: dict[str, Callable[[list[int | str], int], None]] = {
            "AT+UART_CUR": self._uart,
            "AT+CWMODE": self._mode,
            "AT+CWJAP": self._join,
            "AT+MQTTUSERCFG": self._user_config,
            "AT+MQTTCONNCFG": self._accept,
            "AT+MQTTCONN": self._connect,
            "AT+MQTTSUB": self._subscribe,
            "AT+MQTTPUB": self._publish_text,
            "AT+MQTTPUBRAW": self._publish_header,
            "AT+MQTTCLEAN": self._clean,
            "AT+SYSLOG": self._accept,
        }
        if name not in handlers or "=" not in line:
            raise BadArguments(f"no such command: {line[:24]}")
        handlers[name](split_arguments(rest), at)

    def _set_echo(self, on: bool, at: int) -> None:
        self.echo = on
        self._say("OK", at)

    def _restart(self, at: int) -> None:
        end = self._say("OK", at)
        self._host.disconnect(at)
        self.reset()
        self._host.set_baud(self.baud, end)
        self._host.send(b"\r\nready\r\n", end + 300_000 * US)

    def _leave(self, at: int) -> None:
        self._host.disconnect(at)
        self.joined = self.connected = False
        self._host.send(b"\r\nOK\r\nWIFI DISCONNECT\r\n", at)

    def _accept(self, _arguments: list[int | str], at: int) -> None:
        self._say("OK", at)

    def _uart(self, arguments: list[int | str], at: int) -> None:
        baud, bits, stop, parity, flow = _expect(arguments, (int,) * 5)
        if not MIN_BAUD <= int(baud) <= MAX_BAUD or (bits, stop, parity, flow) != (8, 1, 0, 0):
            raise BadArguments("only 8N1 without flow control, 80 to 5,000,000 baud")
        end = self._say("OK", at)
        self.baud = int(baud)
        self._host.set_baud(self.baud, end)

    def _mode(self, arguments: list[int | str], at: int) -> None:
        if not 1 <= len(arguments) <= 2 or arguments[0] not in (1, 3):
            raise BadArguments("only station mode")
        self._say("OK", at)

    def _join(self, arguments: list[int | str], at: int) -> None:
        _expect(arguments[:2], (str, str))
        self.joined = True
        done = at + int(self.timing.join_ms * 1000 * US)
        self._busy_until = done
        self._host.send(b"WIFI CONNECTED\r\nWIFI GOT IP\r\n", done)
        self._say("OK", done)

    def _user_config(self, arguments: list[int | str], at: int) -> None:
        link, scheme, client, user, password = _expect(arguments[:5], (int, int, str, str, str))
        if link != 0 or len(arguments) != 8 or self.connected:
            raise BadArguments("link 0, eight arguments, before the connection")
        if scheme != 1:
            raise BadArguments("only MQTT over TCP")
        self.user = (str(client), str(user), str(password))
        self._say("OK", at)

    def _connect(self, arguments: list[int | str], at: int) -> None:
        link, host, port, _reconnect = _expect(arguments, (int, str, int, int))
        if link != 0 or self.user is None or not self.joined or self.connected or not 1 <= int(port) <= 65535:
            raise BadArguments("not joined, not configured, or connected already")
        if not self._host.connect(at, str(host), int(port), *self.user):
            raise BadArguments("the broker can't be reached or refuses")
        self.connected = True
        self._host.send(f'+MQTTCONNECTED:0,1,"{host}","{port}","",0\r\n'.encode(), at)
        self._say("OK", at)

    def _subscribe(self, arguments: list[int | str], at: int) -> None:
        link, topic, qos = _expect(arguments, (int, str, int))
        if link != 0 or not topic or int(qos) > 2 or not self.connected:
            raise BadArguments("not connected, or a bad topic")
        if topic in self.subscribed:
            self._host.send(b"ALREADY SUBSCRIBE\r\n", at)
        elif not self._host.subscribe(at, str(topic)):
            raise BadArguments("the broker refuses the subscription")
        else:
            self.subscribed = (*self.subscribed, str(topic))
        self._say("OK", at)

    def _publish_text(self, arguments: list[int | str], at: int) -> None:
        link, topic, data, qos, retain = _expect(arguments, (int, str, str, int, int))
        if link != 0 or not topic or not self.connected:
            raise BadArguments("not connected, or a bad topic")
        sent = at + int(self.timing.publish_us * US)
        if not self._host.publish(sent, str(topic), str(data).encode(), int(qos), bool(retain)):
            raise BadArguments("the connection is gone")
        self._say("OK", sent)

    def _publish_header(self, arguments: list[int | str], at: int) -> None:
        link, topic, length, qos, retain = _expect(arguments, (int, str, int, int, int))
        if link != 0 or not topic or not self.connected:
            raise BadArguments("not connected, or a bad topic")
        if not 1 <= int(length) <= self.timing.max_publish_bytes or int(qos) > 2 or int(retain) > 1:
            raise BadArguments("length, qos or retain out of range")
        self._raw_topic = (str(topic), int(qos), bool(retain))
        self._raw.clear()
        self._raw_left = int(length)
        self._say("OK\r\n\r\n>", at)

    def _publish_raw(self, at: int) -> None:
        topic, qos, retain = self._raw_topic
        payload = bytes(self._raw)
        self._raw.clear()
        sent = at + int(self.timing.publish_us * US)
        self._busy_until = sent
        done = self.connected and self._host.publish(sent, topic, payload, qos, retain)
        self._say("+MQTTPUB:OK" if done else "+MQTTPUB:FAIL", sent)

    def _clean(self, arguments: list[int | str], at: int) -> None:
        if arguments != [0]:
            raise BadArguments("only link 0")
        self._host.disconnect(at)
        self.connected, self.subscribed, self.user = False, (), None
        self._say("OK", at)

    # --- from the broker ---
    def message(self, topic: str, payload: bytes, at: int) -> int:
        """A message has come in over the air at `at`. Returns when its last byte is with the device."""
        start = at + int(self.timing.receive_us * US)
        head = f'+MQTTSUBRECV:0,"{topic}",{len(payload)},'.encode()
        return self._host.send(self.noise(start) + head + payload + b"\r\n", start)

    def lost(self, at: int) -> None:
        """The broker has closed the connection."""
        if self.connected:
            self.connected, self.subscribed = False, ()
            self._host.send(b"+MQTTDISCONNECTED:0\r\n", at)


def _expect(arguments: list[int | str], kinds: tuple[type, ...]) -> list[int | str]:
    if len(arguments) != len(kinds) or not all(isinstance(a, k) for a, k in zip(arguments, kinds, strict=True)):
        raise BadArguments(f"wants {', '.join(k.__name__ for k in kinds)}")
    return arguments
