"""Plays an INA bridge that isn't there: its lines on a pty, from a timeline."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from harness.contracts.probe import PowerTimeline
from harness.power.ina_lines import VERSION, frame
from harness.power.standins.pty_instrument import PtyInstrument
from harness.power.standins.render import render, sample_count

CURRENT_NA_PER_BIT = 25_000.0  # 0.1 ohm shunt, 2.5 uV a bit
BUS_UV_PER_BIT = 1250.0


@dataclass(frozen=True)
class InaFaults:
    """Says what goes wrong, at sample numbers counted from the first start."""

    drop_samples: tuple[int, ...] = ()  # lines that are never sent
    corrupt_samples: tuple[int, ...] = ()  # lines with one byte damaged
    unplug_after_samples: int | None = None
    chip_missing: bool = False


class StandinIna(PtyInstrument):
    """Serves the lines at `path`; `play` gives it something to measure; a stop takes effect after it."""

    def __init__(self, faults: InaFaults | None = None, *, period_us: int = 1000, true_period_us: int | None = None):
        self._faults = faults or InaFaults()
        self._period_us = period_us
        self._true_period_us = true_period_us or period_us
        self._queue: deque[PowerTimeline] = deque()
        self._lock = threading.Lock()
        self._number = 0
        self.measuring = False
        super().__init__()

    def play(self, timeline: PowerTimeline) -> int:
        """Append `timeline`, and return the number of samples it takes."""
        with self._lock:
            self._queue.append(timeline)
        self.wake()
        return sample_count(timeline, 1e6 / self._period_us)

    def work(self) -> None:
        if self.measuring:
            self._send_queue()

    def answer(self, data: bytes) -> None:
        for byte in data:
            if byte == ord("?"):
                self._send_header()
            elif byte == ord("G"):
                self._send_header()
                self.measuring = True
                if self._faults.chip_missing:
                    self.send(frame("E,no chip on the bus"))
                else:
                    self._send_queue()
            elif byte == ord("X"):
                if self.measuring:
                    self._send_queue()
                self.measuring = False

    def _send_header(self) -> None:
        self.send(frame(f"H,{VERSION},INA226,{CURRENT_NA_PER_BIT:g},{BUS_UV_PER_BIT:g},{self._period_us}"))

    def _send_queue(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    return
                timeline = self._queue.popleft()
            if not self._send_timeline(timeline):
                return

    def _send_timeline(self, timeline: PowerTimeline) -> bool:
        faults = self._faults
        current_a, markers = render(timeline, 1e6 / self._period_us)
        bus = round(timeline.voltage_v * 1e6 / BUS_UV_PER_BIT)
        lines: list[bytes] = []
        for amps, level in zip(current_a, markers, strict=True):
            number, self._number = self._number, self._number + 1
            if faults.unplug_after_samples is not None and number >= faults.unplug_after_samples:
                self.send(b"".join(lines))
                self.unplug()
                return False
            if number in faults.drop_samples:
                continue
            raw = round(float(amps) * 1e9 / CURRENT_NA_PER_BIT)
            line = frame(f"S,{number},{number * self._true_period_us % (1 << 32)},{raw},{bus},{level}")
            lines.append(line.replace(b",", b";", 1) if number in faults.corrupt_samples else line)
        return self.send(b"".join(lines))
