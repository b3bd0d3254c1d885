"""Parses the data streams of ST's X-NUCLEO-LPM01A, as bytes come in.

ASCII: a line a sample, four digits, sign, two digits of exponent: `6409-07` = 6409e-7 (A, or J a sample); among them
`TimeStamp: 001s 000ms, buff 00%`, `event N ris|fal`, `error ...`, `end`, and answers behind the prompt.
Binary: two bytes a sample, big endian: exponent of 1/16 in the upper four bits, value in the lower twelve; 0xF in the
upper bits is kept for messages: 0xF0, kind 0xF1..0xF7, content, 0xFF 0xFF. (Facts from the command help and public
readers of the stream; ST UM2269 describes it.) Its clock stamps tell how many samples there should have been.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

MAX_LINE_BYTES = 256
_SAMPLE = re.compile(rb"^(\d{4})([+-])(\d{2})$")
_STAMP = re.compile(rb"^TimeStamp: *(\d{1,9})s *(\d{1,3})ms")
_EVENT = re.compile(rb"^event (\d{1,9}) (ris|fal)")
_MESSAGE = re.compile(rb"\xf0[\xf1-\xf7]")
_END = b"\xff\xff"
_FIXED = {0xF3: 5, 0xF4: 0, 0xF5: 0, 0xF6: 0, 0xF7: 2}  # bytes of content by kind; 0xF1 and 0xF2 are texts
_STAMP_KIND, _DONE_KIND, _OVERCURRENT_KIND, _ERROR_KIND = 0xF3, 0xF4, 0xF5, 0xF1


@dataclass
class Stream:
    """Holds what came in: samples, and by the number of samples before them, time stamps (ms) and edges of D7."""

    samples: list[npt.NDArray[np.float64]] = field(default_factory=list)
    stamps: list[tuple[int, int]] = field(default_factory=list)  # (samples before, ms)
    events: list[tuple[int, str]] = field(default_factory=list)  # (samples before, "ris" | "fal")
    errors: list[str] = field(default_factory=list)
    bad_lines: int = 0
    done: bool = False
    count: int = 0

    def add(self, values: npt.NDArray[np.float64]) -> None:
        """Append samples."""
        if len(values):
            self.samples.append(values)
            self.count += len(values)


class Parser(Protocol):
    """Defines what either parser does."""

    stream: Stream

    def feed(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere."""


class AsciiParser:
    """Parses lines. A line that is none of the known is counted in `bad_lines`; a sample that was in it is lost."""

    def __init__(self) -> None:
        self.stream = Stream()
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.strip(b"\r \x00"))
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest = b""
            self.stream.bad_lines += 1

    def _line(self, line: bytes) -> None:
        stream = self.stream
        if match := _SAMPLE.match(line):
            sign = -1 if match[2] == b"-" else 1
            stream.add(np.array([int(match[1]) * 10.0 ** (sign * int(match[3]))]))
        elif match := _STAMP.match(line):
            stream.stamps.append((stream.count, int(match[1]) * 1000 + int(match[2])))
        elif match := _EVENT.match(line):
            stream.events.append((stream.count, match[2].decode()))
        elif line.startswith(b"error") or b"overcurrent" in line.lower():
            stream.errors.append(line[:MAX_LINE_BYTES].decode("ascii", "replace"))
        elif line == b"end" or b"Acquisition completed" in line:
            stream.done = True
        elif line and not line.startswith((b"PowerShield", b"ack", b"summary", b"pwr")):
            stream.bad_lines += 1


class BinaryParser:
    """Parses two-byte samples between messages. A message at an odd place means that a byte was lost before it."""

    def __init__(self) -> None:
        self.stream = Stream()
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere."""
        self._rest += data
        while match := _MESSAGE.search(self._rest):
            body = self._rest[match.end() :]
            kind = self._rest[match.start() + 1]
            length = _FIXED.get(kind)
            if length is None:
                length = body.find(_END, 0, MAX_LINE_BYTES)
                if length < 0:
                    if len(body) < MAX_LINE_BYTES:
                        break
                    self.stream.bad_lines += 1
                    length = -len(_END)  # a text without end: take its two bytes away and go on
            if len(body) < length + len(_END):
                break
            self._values(self._rest[: match.start()])
            self._message(kind, body[: max(0, length)], body[max(0, length) : length + len(_END)])
            self._rest = body[length + len(_END) :]
        else:
            match = None
        before = self._rest[: match.start()] if match else self._rest[:-1] if self._rest[-1:] == b"\xf0" else self._rest
        whole = len(before) // 2 * 2
        self._values(before[:whole])
        self._rest = self._rest[whole:]

    def _values(self, data: bytes) -> None:
        if len(data) % 2:
            self.stream.bad_lines += 1
            data = data[:-1]
        words = np.frombuffer(data, dtype=">u2").astype(np.uint32)
        exponents = words >> 12
        if bad := int(np.count_nonzero(exponents == 0xF)):
            self.stream.bad_lines += bad
            words, exponents = words[exponents != 0xF], exponents[exponents != 0xF]
        self.stream.add((words & 0xFFF) * 16.0 ** -exponents.astype(np.float64))

    def _message(self, kind: int, body: bytes, end: bytes) -> None:
        stream = self.stream
        if end not in (_END, b""):
            stream.bad_lines += 1
        elif kind == _STAMP_KIND:
            stream.stamps.append((stream.count, int.from_bytes(body[:4], "big") & 0x7FFFFFFF))
        elif kind == _DONE_KIND:
            stream.done = True
        elif kind == _OVERCURRENT_KIND:
            stream.errors.append("overcurrent")
        elif kind == _ERROR_KIND:
            stream.errors.append(body.decode("ascii", "replace").strip())


def with_gaps(stream: Stream, rate_hz: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the samples with the missing ones put in, and which are lost.

    Between two time stamps there should be as many samples as their distance says; where fewer came, nobody knows
    which are missing: the whole stretch is marked lost. Stamps are whole milliseconds, so a loss of less than one in a
    stretch is not seen; samples after the last stamp can't be checked.
    """
    tolerance = max(1.0, rate_hz / 1e3)
    values = np.concatenate(stream.samples) if stream.samples else np.zeros(0)
    parts: list[npt.NDArray[np.float64]] = []
    lost: list[npt.NDArray[np.bool_]] = []
    at, at_ms = 0, None if not stream.stamps else stream.stamps[0][1]
    for count, ms in stream.stamps:
        part = values[at:count]
        expected = len(part) if at_ms is None or ms <= at_ms else round((ms - at_ms) * rate_hz / 1e3)
        missing = min(expected - len(part), int(rate_hz * 3600)) if expected > len(part) + tolerance else 0
        parts.append(np.concatenate((part, np.full(missing, np.nan))) if missing else part)
        lost.append(np.full(len(parts[-1]), missing > 0))
        at, at_ms = count, ms
    parts.append(values[at:])
    lost.append(np.zeros(len(parts[-1]), dtype=np.bool_))
    filled, gone = np.concatenate(parts), np.concatenate(lost)
    filled[gone] = np.nan
    return filled, gone
