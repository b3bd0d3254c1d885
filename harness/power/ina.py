"""Drives an INA226 or INA228 behind a serial bridge (`sketches/ina_bridge`): a slow probe for the price of a lunch.

About 1 kS/s: stages of 10 ms and more, or energy over many inferences. `?` asks for the header, `G` starts, `X` stops.
Not yet run against the chip itself, only against `standins.ina`.
"""

from __future__ import annotations

import time

from pydantic import Field

from harness.contracts.errors import BenchError
from harness.contracts.probe import Source, Trace
from harness.contracts.toml import Strict
from harness.power.ina_lines import Header, LineParser, fill
from harness.power.serial_probe import SerialProbe

INSTRUMENT = "INA bridge"
BAUD = 500_000
_CLOCK_TOLERANCE = 0.02  # period by the bridge's clock against the one it announces


class InaOptions(Strict):
    """Says how the bridge is wired."""

    rail: str = "the supply that runs through the shunt"
    answer_s: float = Field(default=4.0, gt=0, le=60)  # opening the port resets many boards: 2 s of boot loader
    quiet_s: float = Field(default=0.5, gt=0, le=60)
    longest_s: float = Field(default=3600.0, gt=0, le=36_000)


class InaProbe(SerialProbe):
    """Drives one bridge at one port.

    Raises:
        BenchError: no port, or no bridge of this version behind it.
    """

    name = INSTRUMENT

    def __init__(self, path: str, options: InaOptions | None = None, source: Source = "measured") -> None:
        self._options = options or InaOptions()
        super().__init__(path, BAUD, source, quiet_s=self._options.quiet_s, longest_s=self._options.longest_s)
        self._parser = LineParser()
        try:
            self.header = self._ask()
        except BaseException:
            self._port.close()
            raise
        self.rate_hz = self.header.rate_hz

    def _begin(self) -> None:
        self._parser = LineParser()
        self._write(b"G")

    def _feed(self, data: bytes) -> None:
        self._parser.feed(data)

    def _count(self) -> int:
        return len(self._parser.readings.numbers)

    def _stop_words(self) -> bytes:
        return b"X"

    def _last_words(self, *, recording: bool) -> bytes:
        return b"X"

    def _trace(self) -> Trace:
        readings = self._parser.readings
        if readings.errors:
            raise BenchError(f"the INA bridge reported: {readings.errors[0]}", cure="look at its wiring")
        try:
            filled = fill(readings, self.header)
        except ValueError as e:
            raise BenchError(f"the INA bridge at {self._path}: {e}", cure="look at its wiring and power") from e
        if abs(filled.period_us / self.header.period_us - 1) > _CLOCK_TOLERANCE:
            raise BenchError(
                f"the INA bridge samples every {filled.period_us:.0f} us, not every {self.header.period_us} us",
                cure="its I2C bus or serial line is too slow for its settings: lengthen PERIOD_US",
            )
        return Trace(
            rate_hz=1e6 / filled.period_us,
            source=self.source,
            probe=f"{self.header.chip} bridge",
            rail=self._options.rail,
            current_a=filled.current_a,
            voltage_v=filled.voltage_v,
            markers=filled.markers,
            lost=filled.lost,
            info={"bad_lines": str(readings.bad_lines), **self.clock_info()},
        )

    def _ask(self) -> Header:
        self._write(b"X?")
        deadline = time.monotonic() + self._options.answer_s
        asked = time.monotonic()
        while (header := self._parser.readings.header) is None:
            if time.monotonic() > deadline:
                raise BenchError(
                    f"no INA bridge of this version answers at {self._path}", cure="flash sketches/ina_bridge on it"
                )
            self._parser.feed(self._read())
            if time.monotonic() - asked > self._options.answer_s / 8:  # it may have been in its boot loader
                self._write(b"?")
                asked = time.monotonic()
        return header
