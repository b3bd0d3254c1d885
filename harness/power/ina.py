"""INA226 or INA228 behind a serial bridge (`sketches/ina_bridge`): a slow probe for the price of a lunch.

About 1 kS/s: stages of 10 ms and more, or energy over many inferences. `?` asks for the header, `G` starts, `X` stops.
Not yet run against the chip itself, only against `standins.ina`.
"""

from __future__ import annotations

import logging
import time

import serial
from pydantic import Field

from harness.contracts.errors import BenchError
from harness.contracts.probe import PowerProbe, Source, Trace
from harness.contracts.toml import Strict
from harness.power.ina_lines import Header, LineParser, fill
from harness.power.serial_line import gone, open_port
from harness.power.stream import StreamReader

log = logging.getLogger(__name__)

INSTRUMENT = "INA bridge"
BAUD = 500_000
_CLOCK_TOLERANCE = 0.02  # period by the bridge's clock against the one it announces


class InaOptions(Strict):
    """How the bridge is wired."""

    rail: str = "the supply that runs through the shunt"
    answer_s: float = Field(default=4.0, gt=0, le=60)  # opening the port resets many boards: 2 s of boot loader
    quiet_s: float = Field(default=0.5, gt=0, le=60)
    longest_s: float = Field(default=3600.0, gt=0, le=36_000)


class InaProbe(PowerProbe):
    """One bridge at one port.

    Raises:
        BenchError: no port, or no bridge of this version behind it.
    """

    name = INSTRUMENT

    def __init__(self, path: str, options: InaOptions | None = None, source: Source = "measured") -> None:
        self._path = path
        self._options = options or InaOptions()
        self.source = source
        self._port = open_port(path, BAUD, INSTRUMENT)
        self._reader: StreamReader | None = None
        self._parser = LineParser()
        try:
            self.header = self._ask()
        except BaseException:
            self._port.close()
            raise
        self.rate_hz = self.header.rate_hz

    def start(self) -> None:
        if self._reader is not None:
            raise BenchError("the INA bridge is recording already", cure="stop it first")
        self._parser = LineParser()
        self._write(b"G")
        self._reader = StreamReader(self._port, self._take)
        self._reader.start()

    def wait_for(self, samples: int, quiet_s: float | None = None) -> bool:
        """Wait until `samples` samples came; False when the stream dries up first."""
        if self._reader is None:
            raise BenchError("the INA bridge is not recording", cure="start it first")
        return self._reader.wait_until(
            lambda: len(self._parser.readings.numbers) >= samples, quiet_s or self._options.quiet_s
        )

    def stop(self) -> Trace:
        reader = self._reader
        if reader is None:
            raise BenchError("the INA bridge is not recording", cure="start it first")
        self._reader = None
        try:
            if reader.error is None:
                self._write(b"X")
                reader.wait_quiet(self._options.quiet_s)
        finally:
            reader.stop()
        if isinstance(reader.error, BenchError):
            raise reader.error
        if reader.error is not None:
            raise gone(INSTRUMENT, self._path, reader.error)
        return self._trace()

    def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()
        if not self._port.is_open:
            return
        try:
            self._port.write(b"X")
        except (OSError, serial.SerialException) as e:
            log.warning("the INA bridge at %s was gone at close (%s)", self._path, e)
        finally:
            self._port.close()

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
            info={"bad_lines": str(readings.bad_lines)},
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

    def _take(self, data: bytes, host_s: float) -> None:
        self._parser.feed(data)
        if len(self._parser.readings.numbers) > self._options.longest_s * self.rate_hz:
            raise BenchError(
                f"a recording is longer than {self._options.longest_s:g} s", cure="stop it earlier, or raise longest_s"
            )

    def _read(self) -> bytes:
        try:
            data: bytes = self._port.read(max(1, self._port.in_waiting))
        except (OSError, serial.SerialException) as e:
            raise gone(INSTRUMENT, self._path, e) from e
        return data

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (OSError, serial.SerialException) as e:
            raise gone(INSTRUMENT, self._path, e) from e
