"""Plays a PPK2 that isn't there: the same serial protocol on a pty, its current and markers from a timeline.

Its clock is the count of samples played: `play` appends a timeline, whose words are sent as fast as the host reads
while a measurement is on; a stop command takes effect when all that was played before it is sent. So a recording is a
pure function of what was played, its seed and the faults, whatever the host's speed. The ADC is that of the real one:
14 bits in five ranges (about 1 mA a step above 60 mA), with a dither of one step so that means are not biased.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from harness.contracts.probe import Bytes, Floats, PowerTimeline
from harness.power.ppk2 import DUT_POWER, METADATA, MODE, REGULATOR, START, STOP
from harness.power.ppk2_calibration import RANGES, Calibration
from harness.power.ppk2_words import ADC_CODES, RATE_HZ, WORD_BYTES, Words, pack
from harness.power.standins.pty_instrument import PtyInstrument
from harness.power.standins.render import render, sample_count

MAX_CURRENT_A = 1.0  # what the instrument can measure
_RANGE_TOPS_A = np.array([50e-6, 500e-6, 5e-3, 60e-3])
_ARGUMENTS = {START: 0, STOP: 0, DUT_POWER: 1, REGULATOR: 2, MODE: 1, METADATA: 0}


@dataclass(frozen=True)
class Ppk2Faults:
    """Says what goes wrong, at word numbers counted from the first start."""

    drop_words: tuple[tuple[int, int], ...] = ()  # (first word, how many) that are never sent
    drop_bytes: tuple[int, ...] = ()  # numbers of stream bytes that are never sent
    unplug_after_words: int | None = None
    flip_markers: tuple[tuple[int, int], ...] = ()  # (word, level) that a glitch puts on the pins


@dataclass(frozen=True, eq=False)
class _Played:
    timeline: PowerTimeline
    seed: int
    first: int  # its first word, counted from the first start
    samples: int


class StandinPpk2(PtyInstrument):
    """Serves the protocol at `path`; `play` gives it something to measure."""

    def __init__(
        self,
        calibration: Calibration | None = None,
        faults: Ppk2Faults | None = None,
        *,
        dither: bool = True,
        marker_inputs: tuple[int, int, int] = (0, 1, 2),
    ) -> None:
        self.calibration = calibration or Calibration(hardware=9173)
        self._faults = faults or Ppk2Faults()
        self._dither = dither
        self._inputs = marker_inputs
        self._tables: dict[int, list[Floats]] = {}
        self._queue: deque[_Played] = deque()
        self._lock = threading.Lock()
        self._pending = b""
        self._next_word = 0
        self.measuring = False
        self.powered = False
        self.mode = 0
        self.supply_mv = 3700  # what the instrument comes up with
        super().__init__()

    def play(self, timeline: PowerTimeline, seed: int = 0) -> int:
        """Append `timeline` to what the instrument measures, and return the number of samples it takes. Any thread may
        call this.

        Raises:
            ValueError: a current above the instrument's 1 A.
        """
        if float(np.max(timeline.current_a)) > MAX_CURRENT_A:
            raise ValueError(f"a PPK2 measures up to {MAX_CURRENT_A:g} A")
        samples = sample_count(timeline, RATE_HZ)
        with self._lock:
            self._queue.append(_Played(timeline, seed, self._next_word, samples))
            self._next_word += samples
        self.wake()
        return samples

    def work(self) -> None:
        if self.measuring:
            self._send_queue()

    def answer(self, data: bytes) -> None:
        self._pending += data
        while self._pending:
            command = self._pending[0]
            length = 1 + _ARGUMENTS.get(command, 0)
            if len(self._pending) < length:
                return
            arguments, self._pending = self._pending[1:length], self._pending[length:]
            self._obey(command, arguments)

    def _obey(self, command: int, arguments: bytes) -> None:
        if command == METADATA:
            self.send(self.calibration.text(self.supply_mv, self.mode))
        elif command == START:
            self.measuring = True
            self._send_queue()
        elif command == STOP:
            if self.measuring:
                self._send_queue()
            self.measuring = False
        elif command == DUT_POWER:
            self.powered = bool(arguments[0])
        elif command == REGULATOR:
            self.supply_mv = arguments[0] * 256 + arguments[1]
        elif command == MODE:
            self.mode = arguments[0]

    def _send_queue(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    return
                played = self._queue.popleft()
            if not self._send_words(played):
                return

    def _send_words(self, played: _Played) -> bool:
        faults = self._faults
        words = self._words(played)
        kept = np.ones(played.samples, dtype=np.bool_)
        for first, count in faults.drop_words:
            kept[max(0, first - played.first) : max(0, first + count - played.first)] = False
        for word, level in faults.flip_markers:
            if 0 <= (at := word - played.first) < played.samples:
                logic = self._logic(np.array([level], dtype=np.uint8))
                words[at] = (words[at] & np.uint32(0xFFFFFF)) | (np.uint32(logic[0]) << np.uint32(24))
        unplug = faults.unplug_after_words
        if unplug is not None and unplug < played.first + played.samples:
            kept[max(0, unplug - played.first) :] = False
        stream = words[kept].tobytes()
        if faults.drop_bytes:
            first_byte = played.first * WORD_BYTES
            here = [at - first_byte for at in faults.drop_bytes if 0 <= at - first_byte < len(stream)]
            stream = np.delete(np.frombuffer(stream, dtype=np.uint8), here).tobytes()
        sent = self.send(stream)
        if unplug is not None and unplug < played.first + played.samples:
            self.unplug()
            return False
        return sent

    def _words(self, played: _Played) -> Words:
        """Make the words only when they are sent: the supply and the switch that the host set by then hold."""
        current_a, markers = render(played.timeline, RATE_HZ)
        rng = np.random.default_rng(played.seed)
        if not self.powered:
            current_a = np.zeros_like(current_a)
        ranges = np.searchsorted(_RANGE_TOPS_A, current_a, side="right").astype(np.uint32)
        codes = np.zeros(len(current_a))
        tables = self._range_tables()
        for n in np.unique(ranges):
            here = ranges == n
            codes[here] = np.interp(current_a[here], tables[n], np.arange(ADC_CODES))
        if self._dither:
            codes += rng.random(len(codes)) - 0.5
        steps = np.clip(np.rint(codes), 0, ADC_CODES - 1).astype(np.uint32)
        counter = (np.arange(len(steps)) + played.first).astype(np.uint32)
        return pack(ranges * np.uint32(ADC_CODES) + steps, counter, self._logic(markers))

    def _range_tables(self) -> list[Floats]:
        """Return the amperes of each code, by range and by the supply voltage, which the calibration depends on."""
        if self.supply_mv not in self._tables:
            table = self.calibration.table_a(self.supply_mv / 1e3).reshape(8, ADC_CODES)[:RANGES]
            self._tables[self.supply_mv] = list(table)
        return self._tables[self.supply_mv]

    def _logic(self, markers: Bytes) -> Bytes:
        logic = np.zeros(len(markers), dtype=np.uint8)
        for pin, at in enumerate(self._inputs):
            logic |= ((markers >> np.uint8(pin)) & np.uint8(1)) << np.uint8(at)
        return logic
