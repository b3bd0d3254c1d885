"""Plays an X-NUCLEO-LPM01A that isn't there: its text dialogue and both data formats on a pty, from a timeline."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from harness.contracts.probe import Floats, PowerTimeline
from harness.power.lpm01a import FREQUENCIES_HZ, PROMPT
from harness.power.standins.pty_instrument import PtyInstrument
from harness.power.standins.render import render, sample_count

MAX_CURRENT_A = 0.05  # in dynamic mode
_SETTINGS = ("volt", "freq", "acqtime", "trigsrc", "output", "format", "pwr")
_UNITS = {"u": 1e-6, "m": 1e-3, "k": 1e3}


@dataclass(frozen=True)
class Lpm01aFaults:
    """Says what goes wrong, at sample numbers counted from the first start."""

    drop_samples: tuple[tuple[int, int], ...] = ()  # (first, how many) that are never sent
    corrupt_sample: int | None = None  # one whose bytes are damaged on the line
    unplug_after_samples: int | None = None


class StandinLpm01a(PtyInstrument):
    """Serves the dialogue at `path`; `play` gives it something to measure; a stop takes effect after it."""

    def __init__(self, faults: Lpm01aFaults | None = None) -> None:
        self._faults = faults or Lpm01aFaults()
        self._queue: deque[PowerTimeline] = deque()
        self._lock = threading.Lock()
        self._line = b""
        self._sent = 0
        self.controlled = False
        self.measuring = False
        self.settings: dict[str, str] = {"volt": "3300m", "freq": "100", "output": "current", "format": "ascii_dec"}
        super().__init__()

    @property
    def rate_hz(self) -> float:
        """Return the sample rate that the host set."""
        return _value(self.settings["freq"])

    def play(self, timeline: PowerTimeline, rate_hz: float) -> int:
        """Append `timeline`, and return the number of samples it takes at the rate that the host will have set."""
        with self._lock:
            self._queue.append(timeline)
        self.wake()
        return sample_count(timeline, rate_hz)

    def work(self) -> None:
        if self.measuring:
            self._send_queue()

    def answer(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._obey(line.decode("ascii", "replace").strip())

    def _obey(self, command: str) -> None:
        name, _, argument = command.partition(" ")
        if name == "stop":
            if self.measuring:
                self._send_queue()
                self._done()
            self.measuring = False
        elif name == "htc":
            self.controlled = True
            self._say(f"ack {command}")
        elif not self.controlled:
            self._say(f"error {command}: not controlled by host")
        elif name == "hrc":
            self.controlled = False
            self._say(f"ack {command}")
        elif name in _SETTINGS and self._allowed(name, argument):
            self.settings[name] = argument
            self._say(f"ack {command}")
        elif name == "start":
            self._say(f"ack {command}")
            self.measuring = True
            self._sent = 0
            self._stamp()
            self._send_queue()
        else:
            self._say(f"error {command}: bad command")

    def _allowed(self, name: str, argument: str) -> bool:
        try:
            if name == "freq":
                return _value(argument) in FREQUENCIES_HZ
            if name == "volt":
                return 1800 <= round(_value(argument) * 1e3) <= 3300
        except ValueError:
            return False
        return bool(argument)

    def _send_queue(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    return
                timeline = self._queue.popleft()
            if not self._send_timeline(timeline):
                return

    def _send_timeline(self, timeline: PowerTimeline) -> bool:
        rate = self.rate_hz
        current_a, _ = render(timeline, rate)
        if float(np.max(current_a)) > MAX_CURRENT_A:
            return self.send(b"\xf0\xf5\xff\xff" if self._binary else b"error overcurrent\r\n")
        volts = _value(self.settings["volt"])
        values = current_a * volts / rate if self.settings["output"] == "energy" else current_a
        second = max(1, int(rate))
        while len(values):  # the clock is stamped every second of samples
            take = min(len(values), second - self._sent % second)
            if not self._send_samples(values[:take], self._sent):
                return False
            self._sent += take
            values = values[take:]
            if self._sent % second == 0:
                self._stamp()
        self._stamp()
        return True

    def _send_samples(self, values: Floats, first: int) -> bool:
        faults = self._faults
        cut = faults.unplug_after_samples
        end = len(values) if cut is None else max(0, min(len(values), cut - first))
        out = []
        for at in range(end):
            number = first + at
            if any(a <= number < a + n for a, n in faults.drop_samples):
                continue
            sample = _encode_binary(float(values[at])) if self._binary else _encode_ascii(float(values[at]))
            out.append(sample[:1] + sample[2:] if number == faults.corrupt_sample else sample)
        sent = self.send(b"".join(out))
        if end < len(values):
            self.unplug()
            return False
        return sent

    @property
    def _binary(self) -> bool:
        return self.settings["format"] == "bin_hexa"

    def _stamp(self) -> None:
        ms = round(self._sent * 1e3 / self.rate_hz)
        if self._binary:
            self.send(b"\xf0\xf3" + ms.to_bytes(4, "big") + b"\x00\xff\xff")
        else:
            self.send(f"TimeStamp: {ms // 1000:03d}s {ms % 1000:03d}ms, buff 00%\r\n".encode("ascii"))

    def _done(self) -> None:
        self.send(b"\xf0\xf4\xff\xff" if self._binary else b"PowerShield > Acquisition completed\r\n")

    def _say(self, text: str) -> None:
        self.send(f"{PROMPT}{text}\r\n".encode("ascii", "replace"))


def _value(text: str) -> float:
    if text[-1:] in _UNITS:
        return float(text[:-1]) * _UNITS[text[-1]]
    return float(text)


def _encode_ascii(value: float) -> bytes:
    """Return four digits, sign and exponent of the nearest value that can be written so."""
    exponent = 0
    while value and value < 1000 and exponent > -99:
        value, exponent = value * 10, exponent - 1
    while round(value) > 9999:
        value, exponent = value / 10, exponent + 1
    return f"{round(value):04d}{'-' if exponent <= 0 else '+'}{abs(exponent):02d}\r\n".encode("ascii")


def _encode_binary(value: float) -> bytes:
    """Return the exponent of 1/16 and twelve bits of the nearest value that can be written so."""
    power = 0
    while power < 14 and value and round(value * 16.0 ** (power + 1)) <= 0xFFF:
        power += 1
    return (power << 12 | min(0xFFF, round(value * 16.0**power))).to_bytes(2, "big")
