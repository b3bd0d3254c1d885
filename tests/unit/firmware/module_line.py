"""The modelled Wi-Fi module on a line to the firmware's host build, or to the AT client as it was before it met the
model: rates, wrong ones too, and time as on the board."""

from __future__ import annotations

import re
from collections.abc import Callable

from testbeds.espat.host import ModuleHost, ModuleTiming
from testbeds.espat.module import US, AtModule
from testbeds.espat.uart import FRAME_BITS, Receiver
from testbeds.firmware.host.schemelib import HostLibrary
from testbeds.timebase import MILLISECOND, SECOND

from .firmware_helpers import Scripted


class ModuleLine(ModuleHost):
    """What lies between a device and the module, broker included. A device gives its clock, its rate and its ear."""

    def __init__(
        self,
        timing: ModuleTiming,
        now: Callable[[], int],
        rate: Callable[[], int],
        hear: Callable[[bytes, int], None],
    ) -> None:
        self._now, self._rate, self._hear = now, rate, hear
        self._rates = [(0, 115_200)]  # of the module, from when on
        self._receiver = Receiver(FRAME_BITS)
        self.reachable = True
        self.joins = 0
        self.published: list[bytes] = []
        self.reply: Callable[[bytes], bytes] = lambda _payload: b""
        self.module = AtModule(self, timing)

    def from_device(self, data: bytes) -> None:
        """Bytes that the device sends now, at its rate."""
        at, frame = self._now(), FRAME_BITS * SECOND // self._rate()
        if self._rate() == self.baud(at):
            self.module.feed(data, at + len(data) * frame)
            return
        for byte in data:
            self.module.feed(self._receiver.take(byte, at, at + frame), at + frame)
            at += frame

    def baud(self, at: int) -> int:
        """The module's rate."""
        return next(baud for since, baud in reversed(self._rates) if since <= at)

    # --- ModuleHost ---
    def send(self, data: bytes, at: int) -> int:
        frame = FRAME_BITS * SECOND // self.baud(at)
        end = at + len(data) * frame
        if self.baud(at) != self._rate():
            heard = Receiver(FRAME_BITS * SECOND // self._rate())
            data = b"".join(heard.take(byte, at + k * frame, at + (k + 1) * frame) for k, byte in enumerate(data))
            data += heard.idle(end + SECOND)
        self._hear(data, at)
        return end

    def set_baud(self, baud: int, at: int) -> None:
        self._rates.append((at, baud))
        self._receiver = Receiver(FRAME_BITS * SECOND // baud)

    def connect(self, at: int, host: str, port: int, client: str, user: str, password: str) -> bool:
        return self.reachable

    def subscribe(self, at: int, topic: str) -> bool:
        return self.reachable

    def publish(self, at: int, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        self.published.append(payload)
        if answer := self.reply(payload):
            self.module.message(topic.removesuffix("up") + "down", answer, at)
        return self.reachable

    def disconnect(self, at: int) -> None:
        pass


class Wired(Scripted):
    """The whole firmware, wired to the modelled module."""

    def __init__(self, library: HostLibrary, timing: ModuleTiming | None = None) -> None:
        self.line = ModuleLine(
            timing or ModuleTiming(),
            lambda: library.time_us() * US,
            lambda: library.module_baud() or 115_200,
            lambda data, at: library.module_says(data, max(at // US, library.time_us())),
        )
        self.module = self.line.module
        self.cut: int | None = None  # the device stops for good after so many bytes of a publish
        self._dead = False
        super().__init__(library)

    def restart(self) -> None:
        """The device is reset; the module is not."""
        self.cut, self._dead = None, False
        self.library.start_app(self._module)

    def _module(self, data: bytes) -> bytes:
        if self._dead:
            return b""
        if self.cut is not None and self.module.raw_bytes_awaited:
            self.line.from_device(data[: self.cut])
            self._dead = True
            return b""
        self.line.from_device(data)
        self.lines += [line for line in data.split(b"\r\n") if line.startswith(b"AT")]
        return b""

    def wait(self, ms: float) -> None:
        """The device idles."""
        until = self.library.time_us() + ms * 1000
        while self.library.time_us() < until:
            self.library.console(b"")


class OldClient:
    """The AT dialogue as the firmware had it at first, command by command and with its time-outs."""

    def __init__(self, timing: ModuleTiming, raised: int = 4_000_000) -> None:
        self.t, self.rate, self._raised = 0, 115_200, raised
        self._heard: list[tuple[int, bytes]] = []
        self.line = ModuleLine(timing, lambda: self.t, lambda: self.rate, lambda d, at: self._heard.append((at, d)))

    def write(self, data: bytes) -> None:
        self.line.from_device(data)
        self.t += len(data) * FRAME_BITS * SECOND // self.rate

    def ask(self, text: str, timeout_ms: int) -> bool:
        """OK within the time, asked again while it is busy."""
        end = self.t + timeout_ms * MILLISECOND
        self.write(text.encode() + b"\r\n")
        while self.t < end:
            spoken = self._next(end)
            if spoken in (b"OK", b"ERROR"):
                return spoken == b"OK"
            if spoken == b"busy":
                self._pass(self.t + 50 * MILLISECOND)
                self.write(text.encode() + b"\r\n")
        return False

    def _next(self, end: int) -> bytes:
        self._heard.sort(key=lambda entry: entry[0])
        if not self._heard or self._heard[0][0] > end:
            self.t = end
            return b""
        at, data = self._heard.pop(0)
        self.t = max(self.t, at)
        found = re.search(rb"(?:^|\n)(OK|ERROR|busy)", data)
        return found[1] if found else b""

    def _pass(self, until: int) -> None:
        self.t = until
        self._heard = [(at, data) for at, data in self._heard if at > until]

    def find(self) -> bool:
        for rate in (115_200, self._raised) * 2:
            self.rate = rate
            if self.ask("AT", 200):
                return self.ask("ATE0", 1000)
        return False

    def connect(self) -> str:
        """ "" when connected, else the command that ended it."""
        if not self.find():
            return "AT"
        if not self.ask(f"AT+UART_CUR={self._raised},8,1,0,0", 1000):
            return "AT+UART_CUR"
        self.rate = self._raised
        if not (self.ask("AT", 200) or self.ask("AT", 1000)):
            return "AT+UART_CUR"
        if not (self.ask("AT+CWMODE=1", 1000) and self.ask('AT+CWJAP="lab","secret"', 20_000)):
            return "AT+CWJAP"
        user = 'AT+MQTTUSERCFG=0,1,"dev1","user","pass",0,0,""'
        if not self.ask(user, 1000) and not (self.ask("AT+MQTTCLEAN=0", 1000) and self.ask(user, 1000)):
            return "AT+MQTTUSERCFG"
        if not self.ask('AT+MQTTCONN=0,"10.0.0.1",1883,0', 10_000):
            return "AT+MQTTCONN"
        return "" if self.ask('AT+MQTTSUB=0,"agile/t/b/down",0', 10_000) else "AT+MQTTSUB"

    def publish(self, payload: bytes, sent: int) -> None:
        """Begin a raw publish and stop after `sent` bytes."""
        assert self.ask(f'AT+MQTTPUBRAW=0,"agile/t/b/up",{len(payload)},0,0', 1000)
        self.write(payload[:sent])
