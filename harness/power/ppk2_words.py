"""Decodes the Nordic PPK2's sample stream (32-bit little-endian words at 100 kS/s), and checks their counter.

Word (from the public description in Nordic's open desktop application): bits 0-13 ADC / 4, 14-16 range 0..4,
18-23 a counter that goes up by one each sample, 24-31 the logic inputs D0..D7. The counter shows lost words modulo 64:
a loss of exactly 64 k words leaves no trace in it, which the fit of probe clock to host clock shows instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RATE_HZ = 100_000.0
WORD_BYTES = 4
COUNTER_MODULUS = 64
ADC_CODES = 1 << 14
_CODE_MASK = np.uint32(0x1FFFF)  # ADC and range together: the index of the calibration table
_STEP_WINDOW = 8  # counters looked at to decide whether a stream is in step
_IN_STEP = 6  # of them this many must follow each other

Words = npt.NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Samples:
    """Holds a decoded stream with its gaps filled: `codes` (ADC and range), `logic`, and which samples were lost."""

    codes: npt.NDArray[np.uint32]
    logic: npt.NDArray[np.uint8]
    lost: npt.NDArray[np.bool_]
    realigned: int  # times that bytes were missing and the words had to be found again


def pack(codes: npt.NDArray[np.uint32], counter: npt.NDArray[np.uint32], logic: npt.NDArray[np.uint8]) -> Words:
    """Make words from ADC-and-range codes, counters and logic levels, each [n]."""
    words: Words = (
        (codes & _CODE_MASK)
        | ((counter & np.uint32(COUNTER_MODULUS - 1)) << np.uint32(18))
        | (logic.astype(np.uint32) << np.uint32(24))
    ).astype("<u4")
    return words


def counters(words: Words) -> npt.NDArray[np.uint32]:
    """Return the 6-bit counters of words."""
    found: npt.NDArray[np.uint32] = (words >> np.uint32(18)) & np.uint32(COUNTER_MODULUS - 1)
    return found


class WordDecoder:
    """Turns chunks of bytes, cut anywhere, into words that are in step; `samples()` gives them with gaps filled."""

    def __init__(self) -> None:
        self._rest = b""
        self._words: list[Words] = []
        self._last_counter: int | None = None
        self.received = 0
        self.lost = 0
        self.realigned = 0

    @property
    def count(self) -> int:
        """Return the samples so far on the probe's clock, lost ones included."""
        return self.received + self.lost

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._rest += data
        while self._step(last=False):
            pass

    def flush(self) -> None:
        """Take what was held back to judge whether it is in step, as no more bytes will come."""
        while self._step(last=True):
            pass
        self._rest = b""

    def samples(self) -> Samples:
        """Return everything decoded so far, with gaps filled by samples marked lost."""
        words = np.concatenate(self._words) if self._words else np.zeros(0, dtype="<u4")
        codes, logic = words & _CODE_MASK, (words >> np.uint32(24)).astype(np.uint8)
        if not self.lost:
            return Samples(codes, logic, np.zeros(len(words), dtype=np.bool_), self.realigned)
        gaps = np.concatenate(([0], _gaps(counters(words))))
        at = np.arange(len(words)) + np.cumsum(gaps)
        total = len(words) + int(gaps.sum())
        filled_codes, filled_logic = np.zeros(total, dtype=np.uint32), np.full(total, 0xFF, dtype=np.uint8)
        lost = np.ones(total, dtype=np.bool_)
        filled_codes[at], filled_logic[at], lost[at] = codes, logic, False
        return Samples(filled_codes, filled_logic, lost, self.realigned)

    def _step(self, *, last: bool) -> bool:
        """Take the words at the head that are in step; return True when there may be more to do."""
        words = np.frombuffer(self._rest, dtype="<u4", count=len(self._rest) // WORD_BYTES)
        if not len(words):
            return False
        steps = self._steps(words)
        broken = steps != 0
        if not broken.any():
            return self._take(words, steps)
        held = 0 if last else min(len(words), _STEP_WINDOW)
        out = np.convolve(broken, np.ones(_STEP_WINDOW, dtype=int))[_STEP_WINDOW - 1 :] >= _IN_STEP
        slipped = np.flatnonzero(broken & out)
        if not len(slipped):
            keep = len(words) - held
            # Words held back are judged with those that follow; without any loss near the end there is no need to.
            if held and not broken[keep:].any():
                keep = len(words)
            return self._take(words[:keep], steps[:keep]) and keep < len(words) and last
        # The word before the first that doesn't follow may hold the place where bytes are missing: it goes too.
        first = int(slipped[0])
        if self._last_counter is None and first < _STEP_WINDOW:
            pass  # a stream that begins out of step: none of its words can be trusted
        elif first:
            self._take(words[: first - 1], steps[: first - 1])
        else:
            self._give_back_one()
        return self._realign(last=last)

    def _take(self, words: Words, steps: npt.NDArray[np.int64]) -> bool:
        if len(words):
            self._words.append(words.copy())
            self.received += len(words)
            self.lost += int(steps.sum())
            self._last_counter = int(counters(words[-1:])[0])
            self._rest = self._rest[len(words) * WORD_BYTES :]
        return bool(len(words))

    def _give_back_one(self) -> None:
        """Declare the last word taken lost."""
        if self._words:
            counter = int(counters(self._words[-1][-1:])[0])
            self._words[-1] = self._words[-1][:-1]
            if not len(self._words[-1]):
                self._words.pop()
            self.received -= 1
            self._last_counter = (counter - 1) % COUNTER_MODULUS if self._words else None

    def _realign(self, *, last: bool) -> bool:
        """Find the byte where words follow each other again, as the head is out of step."""
        needed = WORD_BYTES * (_STEP_WINDOW + 1)
        for offset in range(1, max(0, len(self._rest) - needed) + 1):
            words = np.frombuffer(self._rest, dtype="<u4", count=_STEP_WINDOW, offset=offset)
            if not _gaps(counters(words)).any():
                # Of the first of these the counter is right, yet its other bytes may be from before the loss.
                self._rest = self._rest[offset + WORD_BYTES :]
                self.realigned += 1
                return True
        self._rest = self._rest[-needed:] if not last else b""
        return False

    def _steps(self, words: Words) -> npt.NDArray[np.int64]:
        """Return the samples missing before each word."""
        found = counters(words)
        before = found[0] if self._last_counter is None else np.uint32(self._last_counter)
        first = 0 if self._last_counter is None else (int(found[0]) - int(before) - 1) % COUNTER_MODULUS
        return np.concatenate(([first], _gaps(found)))


def _gaps(found: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """Return the samples missing between words that follow each other, from their counters."""
    wide = found.astype(np.int64)
    gaps: npt.NDArray[np.int64] = (wide[1:] - wide[:-1] - 1) & (COUNTER_MODULUS - 1)
    return gaps
