"""Reads the lines of the INA226/INA228 bridge: our own small protocol, so that a lost byte can never become a wrong
number.

    H,1,INA226,<current_na_per_bit>,<bus_uv_per_bit>,<period_us>*CC     on `?` and when streaming begins
    S,<number>,<time_us>,<current>,<bus>,<markers>*CC                    one a sample, raw register values
    E,<text>*CC                                                          the bridge can't measure

CC = CRC-8 (polynomial 0x07, start 0) of everything before the `*`, two hex digits. Numbers and times are u32 and wrap.
A sample stands for the time from the one before it to itself (the chip averages over that time).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

VERSION = 1
CHIPS = ("INA226", "INA228")
MAX_LINE_BYTES = 96
_WRAP = 1 << 32
_LONGEST_GAP = 1 << 20  # samples missing at once; more is a bridge that started anew


@dataclass(frozen=True)
class Header:
    """Says what the bridge measures with."""

    chip: str
    current_a_per_bit: float
    bus_v_per_bit: float
    period_us: int

    @property
    def rate_hz(self) -> float:
        """Return the samples a second."""
        return 1e6 / self.period_us


@dataclass
class Readings:
    """Holds raw columns as they came, and what was wrong."""

    numbers: list[int] = field(default_factory=list)
    times_us: list[int] = field(default_factory=list)
    current: list[int] = field(default_factory=list)
    bus: list[int] = field(default_factory=list)
    markers: list[int] = field(default_factory=list)
    bad_lines: int = 0
    errors: list[str] = field(default_factory=list)
    header: Header | None = None


def crc8(data: bytes) -> int:
    """Return the CRC-8, polynomial x^8 + x^2 + x + 1, start 0."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x07) & 0xFF if value & 0x80 else value << 1
    return value


def frame(body: str) -> bytes:
    """Return `body` with its check and line end."""
    data = body.encode("ascii")
    return data + f"*{crc8(data):02X}\n".encode("ascii")


class LineParser:
    """Takes bytes cut anywhere; a line that is damaged is counted and left out."""

    def __init__(self) -> None:
        self.readings = Readings()
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.strip() and not self._line(line.strip(b"\r \x00")):
                self.readings.bad_lines += 1
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest = b""
            self.readings.bad_lines += 1

    def _line(self, line: bytes) -> bool:
        body, star, check = line.rpartition(b"*")
        if not star or len(line) > MAX_LINE_BYTES or check != f"{crc8(body):02X}".encode("ascii"):
            return False
        kind, *fields = body.decode("ascii", "replace").split(",")
        try:
            if kind == "S":
                return self._sample([int(f) for f in fields])
            if kind == "H":
                return self._header(fields)
        except ValueError:
            return False
        if kind == "E":
            self.readings.errors.append(",".join(fields))
            return True
        return False

    def _sample(self, values: list[int]) -> bool:
        if len(values) != 5:
            return False
        number, time_us, current, bus, markers = values
        good = 0 <= number < _WRAP and 0 <= time_us < _WRAP and abs(current) < 1 << 20 and 0 <= bus < 1 << 20
        if not (good and 0 <= markers <= 7):
            return False
        readings = self.readings
        readings.numbers.append(number)
        readings.times_us.append(time_us)
        readings.current.append(current)
        readings.bus.append(bus)
        readings.markers.append(markers)
        return True

    def _header(self, fields: list[str]) -> bool:
        if len(fields) != 5 or int(fields[0]) != VERSION or fields[1] not in CHIPS:
            return False
        current_na, bus_uv, period_us = float(fields[2]), float(fields[3]), int(fields[4])
        if not (0 < current_na < 1e9 and 0 < bus_uv < 1e6 and 0 < period_us <= 10_000_000):
            return False
        self.readings.header = Header(fields[1], current_na * 1e-9, bus_uv * 1e-6, period_us)
        return True


@dataclass(frozen=True, eq=False)
class Filled:
    """Holds columns with the missing samples put in."""

    current_a: npt.NDArray[np.float64]
    voltage_v: npt.NDArray[np.float64]
    markers: npt.NDArray[np.uint8]
    lost: npt.NDArray[np.bool_]
    period_us: float  # as the bridge's own clock tells it


def fill(readings: Readings, header: Header) -> Filled:
    """Put samples in the order of their numbers, with those missing marked lost.

    Raises:
        ValueError: no sample, or numbers that go back (the bridge started anew).
    """
    if not readings.numbers:
        raise ValueError("no sample came")
    numbers = np.array(readings.numbers, dtype=np.int64)
    steps = (numbers[1:] - numbers[:-1]) % _WRAP
    if len(steps) and (int(steps.min()) < 1 or int(steps.max()) > _LONGEST_GAP):
        raise ValueError("the numbers of its samples go back or leap: did the bridge start anew?")
    at = np.concatenate(([0], np.cumsum(steps)))
    total = int(at[-1]) + 1
    current, bus = np.full(total, np.nan), np.full(total, np.nan)
    markers, lost = np.full(total, 0xFF, dtype=np.uint8), np.ones(total, dtype=np.bool_)
    current[at] = np.array(readings.current) * header.current_a_per_bit
    bus[at] = np.array(readings.bus) * header.bus_v_per_bit
    markers[at] = np.array(readings.markers, dtype=np.uint8)
    lost[at] = False
    times = np.array(readings.times_us, dtype=np.int64)
    passed_us = float(np.sum((times[1:] - times[:-1]) % _WRAP))
    return Filled(current, bus, markers, lost, passed_us / (total - 1) if total > 1 else float(header.period_us))
