"""Implements the module's protocol: bytes from the device come in, bytes to it and messages to the broker go out.

It knows no clock: every call says when it happens, in units of testbeds.timebase, and everything it does has a time.
Its host (`ModuleHost`) moves the bytes. The commands are those of the ESP-AT user guide for the ESP32 family, v3.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import IntEnum

from testbeds.espat.arguments import BadArguments, split_arguments
from testbeds.espat.dialogue import Dialogue
from testbeds.espat.host import ModuleHost, ModuleTiming
from testbeds.timebase import MICROSECOND, MILLISECOND

__all__ = ["FACTORY_BAUD", "MAX_LINE", "AtModule", "ModuleHost", "ModuleTiming", "Mqtt"]

log = logging.getLogger(__name__)

MAX_LINE = 256  # a command line, its line end included, is at most this long (ESP-AT user guide)
FACTORY_BAUD = 115_200
MIN_BAUD, MAX_BAUD = 80, 5_000_000
US = MICROSECOND


class Mqtt(IntEnum):
    """Names the states of the module's one MQTT client, numbered as AT+MQTTCONN? does (ESP-AT user guide)."""

    CLEAN = 0
    CONFIGURED = 1
    LOST = 3
    CONNECTED = 4
    SUBSCRIBED = 6


class AtModule:
    """Models one module, from its power-up on."""

    def __init__(self, host: ModuleHost, timing: ModuleTiming | None = None) -> None:
        self._host, self.timing = host, timing or ModuleTiming()
        self.noise: Callable[[int], bytes] = lambda _at: b""  # lets a test put unsolicited lines between lines
        self.on_command: Callable[[str, int], None] = lambda _line, _at: None  # a fault's, before a command is obeyed
        self.dialogue = Dialogue()  # is for people; the module never looks at it
        self.in_reach = True  # whether its access point can be heard
        self.flash: tuple[str, ...] = ()  # network and password, where AT+SYSSTORE=1 let it keep them
        self.reset()

    def reset(self) -> None:
        """Return to the state after power-up and boot. What AT+SYSSTORE=1 kept in flash stays there."""
        self.baud = FACTORY_BAUD
        self.flow = 0  # AT+UART_CUR's: bit 0 its RTS, bit 1 its CTS
        self.echo = True
        self.network: str | None = None  # the SSID it has joined
        self.mqtt = Mqtt.CLEAN
        self.user: tuple[str, str, str] | None = None
        self.subscribed: tuple[str, ...] = ()
        self.stores = True  # AT+SYSSTORE: the documented default
        self.sleep = 1  # a station's default: it sleeps between beacons (ESP-IDF: WIFI_PS_MIN_MODEM)
        self._line = bytearray()
        self._too_long = False
        self._raw_left = 0  # payload bytes of AT+MQTTPUBRAW still to come
        self._raw = bytearray()
        self._raw_topic: tuple[str, int, bool] = ("", 0, False)
        self._busy_until = 0
        self._deaf_until = 0  # the time until which it is booting

    _KEPT = (
        "baud", "flow", "echo", "network", "mqtt", "user", "subscribed", "stores", "sleep", "flash", "_too_long",
        "_raw_left", "_raw_topic", "_busy_until", "_deaf_until",
    )  # fmt: skip

    @property
    def connected(self) -> bool:
        """Tell whether the module has a connection to a broker."""
        return self.mqtt >= Mqtt.CONNECTED

    @property
    def raw_bytes_awaited(self) -> int:
        """Return how many bytes of a raw publish have still to come. Nothing but these bytes ends the wait."""
        return self._raw_left

    def state(self) -> dict[str, object]:
        """Return the state for a snapshot."""
        kept: dict[str, object] = {name: getattr(self, name) for name in self._KEPT}
        return kept | {"_line": bytes(self._line), "_raw": bytes(self._raw)}

    def restore(self, state: dict[str, object]) -> None:
        for name in self._KEPT:
            setattr(self, name, state[name])
        self._line, self._raw = bytearray(state["_line"]), bytearray(state["_raw"])  # type: ignore[call-overload]

    # --- what happens to it ---
    def reboot(self, at: int) -> None:
        """Restart, as by AT+RST, its EN line or a dip of its supply: deaf until it says "ready" at the factory rate."""
        self.dialogue.happened("the module restarts", at)
        self._host.disconnect(at)
        self.reset()
        self._host.set_baud(self.baud, at)
        self._deaf_until = at + self._ms(self.timing.boot_ms)
        self._send(b"\r\nready\r\n", self._deaf_until)

    def hold(self, at: int, until: int) -> None:
        """Keep the module busy until `until`: commands are answered by `busy p...` meanwhile."""
        self._busy_until = max(self._busy_until, at, until)

    def shift(self, by: int) -> None:
        """Shift every time by `by`, because the host's clock was set by so much."""
        self._busy_until = max(0, self._busy_until + by)
        self._deaf_until = max(0, self._deaf_until + by)

    def wifi_lost(self, at: int) -> None:
        """Take the access point away, and the connection to the broker with it, until `wifi_back`."""
        self.in_reach = False
        self._part(at)

    def _part(self, at: int) -> None:
        if self.network is not None:
            self.network = None
            self._send(b"WIFI DISCONNECT\r\n", at)
        if self.connected:
            self._host.disconnect(at)
        self.lost(at)

    def wifi_back(self, at: int, network: str) -> None:
        """Let the module find its network again, by itself (reconn_interval of AT+CWJAP)."""
        self.network, self.in_reach = network, True
        self._send(b"WIFI CONNECTED\r\nWIFI GOT IP\r\n", at)

    def _send(self, data: bytes, at: int) -> int:
        self.dialogue.said(data, at)
        return self._host.send(data, at)

    @staticmethod
    def _ms(ms: float) -> int:
        return int(ms * MILLISECOND)

    # --- from the device ---
    def feed(self, data: bytes, at: int) -> None:
        """Take bytes from the device; the last one's stop bit ends at `at`. Bytes are lost while the module boots."""
        if at < self._deaf_until:
            return
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
        self.dialogue.heard(line, at)
        if not line.endswith(b"\r"):
            return  # the module acts on CR LF only
        line = line[:-1]
        if not line and not too_long:
            return
        if self.echo:
            self._send(line + b"\r\n", at)
        if at < self._busy_until:
            self._send(b"busy p...\r\n", at)
            return
        answer_at = at + int(self.timing.command_us * US)
        try:
            if too_long:
                raise BadArguments("the line is too long")
            text = line.decode("utf-8")
            self.on_command(text, at)
            if at >= self._deaf_until:
                self._command(text, answer_at)
        except (BadArguments, UnicodeDecodeError) as e:
            log.debug("ERROR for %r: %s", line[:40], e)
            self._say("ERROR", answer_at)

    def _say(self, text: str, at: int) -> int:
        """Say an answer line, after any unsolicited ones that a test injects."""
        self._busy_until = max(self._busy_until, at)
        return self._send(self.noise(at) + f"\r\n{text}\r\n".encode(), at)

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
            "AT+CWSTATE?": lambda: self._tell(f'+CWSTATE:{2 if self.network else 0},"{self.network or ""}"', at),
            "AT+MQTTCONN?": lambda: self._tell(f"+MQTTCONN:0,{self.mqtt:d}", at),
            "AT+SLEEP?": lambda: self._tell(f"+SLEEP:{self.sleep}", at),
            "AT+SYSSTORE?": lambda: self._tell(f"+SYSSTORE:{self.stores:d}", at),
        }
        if line in plain:
            plain[line]()
            return
        handlers: dict[str, Callable[[list[int | str], int], None]] = {
            "AT+UART_CUR": self._uart,
            "AT+SYSSTORE": self._store_mode,
            "AT+SLEEP": self._sleep_mode,
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

    def _tell(self, line: str, at: int) -> None:
        self._send(f"{line}\r\n".encode(), at)
        self._say("OK", at)

    def _restart(self, at: int) -> None:
        self.reboot(self._say("OK", at))

    def _leave(self, at: int) -> None:
        self._say("OK", at)
        self._part(at)

    def _accept(self, _arguments: list[int | str], at: int) -> None:
        self._say("OK", at)

    def _uart(self, arguments: list[int | str], at: int) -> None:
        baud, bits, stop, parity, flow = _expect(arguments, (int,) * 5)
        if not MIN_BAUD <= int(baud) <= MAX_BAUD or (bits, stop, parity) != (8, 1, 0) or not 0 <= int(flow) <= 3:
            raise BadArguments("only 8N1, 80 to 5,000,000 baud, flow control 0 to 3")
        end = self._say("OK", at)
        self.baud, self.flow = int(baud), int(flow)
        self._host.set_baud(self.baud, end)

    def _store_mode(self, arguments: list[int | str], at: int) -> None:
        if arguments not in ([0], [1]):
            raise BadArguments("0 or 1")
        self.stores = arguments == [1]
        self._say("OK", at)

    def _sleep_mode(self, arguments: list[int | str], at: int) -> None:
        if arguments not in ([0], [1], [2], [3]):
            raise BadArguments("0 to 3")
        self.sleep = int(arguments[0])
        self._say("OK", at)

    def _mode(self, arguments: list[int | str], at: int) -> None:
        if not 1 <= len(arguments) <= 2 or arguments[0] not in (1, 3):
            raise BadArguments("only station mode")
        self._say("OK", at)

    def _join(self, arguments: list[int | str], at: int) -> None:
        """Join, or join again: the old connections are gone at once, the broker's included."""
        name, password = _expect(arguments[:2], (str, str))
        self._part(at)
        if self.stores:
            self.flash = (str(name), str(password))
        done = at + self._ms(self.timing.join_ms)
        self._busy_until = done
        if not self.in_reach:
            self._send(b"+CWJAP:3\r\n", done)  # "Cannot find the target AP"
            self._say("ERROR", done)
            return
        self.network = str(name)
        self._send(b"WIFI CONNECTED\r\nWIFI GOT IP\r\n", done)
        self._say("OK", done)

    def _user_config(self, arguments: list[int | str], at: int) -> None:
        """Configure the user. From the first connection until AT+MQTTCLEAN, even after a loss, this is refused."""
        link, scheme, client, user, password = _expect(arguments[:5], (int, int, str, str, str))
        if link != 0 or len(arguments) != 8 or self.mqtt > Mqtt.CONFIGURED:
            raise BadArguments("link 0, eight arguments, before the connection")
        if scheme != 1:
            raise BadArguments("only MQTT over TCP")
        self.user, self.mqtt = (str(client), str(user), str(password)), Mqtt.CONFIGURED
        self._say("OK", at)

    def _connect(self, arguments: list[int | str], at: int) -> None:
        link, host, port, _reconnect = _expect(arguments, (int, str, int, int))
        ready = self.network is not None and self.mqtt is Mqtt.CONFIGURED
        if link != 0 or self.user is None or not ready or not 1 <= int(port) <= 65535:
            raise BadArguments("not joined, not configured, or connected before and not cleaned")
        if not self._host.connect(at, str(host), int(port), *self.user):
            raise BadArguments("the broker can't be reached or refuses")
        self.mqtt = Mqtt.CONNECTED
        self._send(f'+MQTTCONNECTED:0,1,"{host}","{port}","",0\r\n'.encode(), at)
        self._say("OK", at)

    def _subscribe(self, arguments: list[int | str], at: int) -> None:
        link, topic, qos = _expect(arguments, (int, str, int))
        if link != 0 or not topic or int(qos) > 2 or not self.connected:
            raise BadArguments("not connected, or a bad topic")
        if topic in self.subscribed:
            self._send(b"ALREADY SUBSCRIBE\r\n", at)
        elif not self._host.subscribe(at, str(topic)):
            raise BadArguments("the broker refuses the subscription")
        else:
            self.subscribed, self.mqtt = (*self.subscribed, str(topic)), Mqtt.SUBSCRIBED
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
        self.dialogue.heard_payload(len(payload), at)
        sent = at + int(self.timing.publish_us * US)
        self._busy_until = sent
        done = self.connected and self._host.publish(sent, topic, payload, qos, retain)
        self._say("+MQTTPUB:OK" if done else "+MQTTPUB:FAIL", sent)

    def _clean(self, arguments: list[int | str], at: int) -> None:
        """Clean the client. This is refused where there is nothing to clean; else it takes the client's own waits,
        during which nothing else is done.
        """
        if arguments != [0] or self.mqtt is Mqtt.CLEAN:
            raise BadArguments("only link 0, and not when it is clean already")
        waits_ms = {Mqtt.CONFIGURED: 0.0, Mqtt.LOST: self.timing.clean_lost_ms}
        done = at + self._ms(waits_ms.get(self.mqtt, self.timing.clean_ms))
        self._host.disconnect(at)
        self.mqtt, self.subscribed, self.user = Mqtt.CLEAN, (), None
        self._busy_until = done
        self._say("OK", done)

    # --- from the broker ---
    def message(self, topic: str, payload: bytes, at: int) -> int:
        """Take a message that came in over the air at `at`, and return when its last byte is with the device.

        A module that sleeps gets it with the next beacon (a fresh beacon each `beacon_ms` of the host's clock).
        """
        if self.sleep and self.timing.beacon_ms:
            at = -(-at // self._ms(self.timing.beacon_ms)) * self._ms(self.timing.beacon_ms)
        start = at + int(self.timing.receive_us * US)
        head = f'+MQTTSUBRECV:0,"{topic}",{len(payload)},'.encode()
        return self._send(self.noise(start) + head + payload + b"\r\n", start)

    def lost(self, at: int) -> None:
        """Note that the connection to the broker is gone. The client has to be cleaned before it connects again."""
        if self.connected:
            self.mqtt, self.subscribed = Mqtt.LOST, ()
            self._send(b"+MQTTDISCONNECTED:0\r\n", at)


def _expect(arguments: list[int | str], kinds: tuple[type, ...]) -> list[int | str]:
    if len(arguments) != len(kinds) or not all(isinstance(a, k) for a, k in zip(arguments, kinds, strict=True)):
        raise BadArguments(f"wants {', '.join(k.__name__ for k in kinds)}")
    return arguments
