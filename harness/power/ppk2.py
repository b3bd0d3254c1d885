"""Drives the Nordic Power Profiler Kit II over its USB serial port.

Commands (bytes, from the public description in Nordic's open desktop application): 0x06 start, 0x07 stop, 0x0C n DUT
power, 0x0D hi lo set the regulator (mV), 0x11 n mode (1 ampere meter, 2 source meter), 0x19 metadata text.
The stream is in `ppk2_words`, the calibration in `ppk2_calibration`. Not yet run against the instrument itself, only
against `standins.ppk2`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from pydantic import Field

from harness.contracts.errors import BenchError
from harness.contracts.probe import Source, Trace
from harness.contracts.toml import Strict
from harness.power.ppk2_calibration import MAX_TEXT_BYTES, TERMINATOR, Calibration, parse_metadata
from harness.power.ppk2_words import ADC_CODES, RATE_HZ, Samples, WordDecoder
from harness.power.serial_probe import SerialProbe
from harness.power.spike_filter import filter_spikes

log = logging.getLogger(__name__)

START, STOP, DUT_POWER, REGULATOR, MODE, METADATA = 0x06, 0x07, 0x0C, 0x0D, 0x11, 0x19
MODES = {"ampere": 1, "source": 2}
INSTRUMENT = "PPK2"
_BAUD = 115200  # USB: the figure has no effect


class Ppk2Options(Strict):
    """Says how the PPK2 is wired and set."""

    mode: Literal["source", "ampere"] = "source"
    supply_mv: int = Field(default=3300, ge=800, le=5000)  # ampere meter: what the board's own supply gives
    marker_inputs: tuple[int, int, int] = (0, 1, 2)  # which of D0..D7 carry marker pins 0, 1 and 2
    rail: str = "the supply that runs through the PPK2"
    spike_filter: bool = True
    power_off_at_close: bool = False
    answer_s: float = Field(default=2.0, gt=0, le=60)
    quiet_s: float = Field(default=0.2, gt=0, le=60)  # the stream has ended when nothing came for so long
    longest_s: float = Field(default=600.0, gt=0, le=3600)
    real_time: bool = True  # False for a stand-in, whose samples come faster or slower than the host's clock


class Ppk2Probe(SerialProbe):
    """Drives one PPK2 at one port.

    Raises:
        BenchError: no port, no PPK2 behind it, or a calibration that can't be.
    """

    name = INSTRUMENT
    rate_hz = RATE_HZ

    def __init__(self, path: str, options: Ppk2Options | None = None, source: Source = "measured") -> None:
        self._options = options or Ppk2Options()
        if len(set(self._options.marker_inputs)) != 3 or not all(0 <= n <= 7 for n in self._options.marker_inputs):
            raise BenchError("marker_inputs must be three different inputs of 0..7", cure="mend the probe's settings")
        super().__init__(path, _BAUD, source, quiet_s=self._options.quiet_s, longest_s=self._options.longest_s)
        self._decoder = WordDecoder()
        try:
            self.calibration = self._read_calibration()
            self._configure()
        except BaseException:
            self._port.close()
            raise
        self._table_a = self.calibration.table_a(self._options.supply_mv / 1e3)

    def facts(self) -> dict[str, Any]:
        """Add the modifiers that it told, by which its codes became amperes."""
        return super().facts() | {"rail": self._options.rail, "calibration": asdict(self.calibration)}

    def cycle_supply(self, off_s: float) -> None:
        if self._options.mode != "source":
            super().cycle_supply(off_s)
        if self._reader is not None:
            raise BenchError("the PPK2 is recording: the supply stays on", cure="stop it first")
        self._write(bytes([DUT_POWER, 0]))
        try:
            time.sleep(off_s)
        finally:
            self._write(bytes([DUT_POWER, 1]))

    def _begin(self) -> None:
        self._decoder = WordDecoder()
        self._write(bytes([START]))

    def _feed(self, data: bytes) -> None:
        self._decoder.feed(data)

    def _count(self) -> int:
        return self._decoder.count

    def _stop_words(self) -> bytes:
        return bytes([STOP])

    def _last_words(self, *, recording: bool) -> bytes:
        return bytes([STOP, DUT_POWER, 0] if self._options.power_off_at_close else [STOP])

    def _trace(self) -> Trace:
        self._decoder.flush()
        samples = self._decoder.samples()
        received = int(np.count_nonzero(~samples.lost))
        if not received:
            raise BenchError(f"the PPK2 at {self._path} sent no samples", cure="is its other USB port powered?")
        if received < len(samples.lost) // 2:
            raise BenchError(
                f"more samples of the PPK2 were lost ({len(samples.lost) - received}) than came ({received})",
                cure="give it a USB port of its own",
            )
        current_a = self._table_a[samples.codes]
        good = ~samples.lost
        ranges = samples.codes // ADC_CODES
        if self._options.spike_filter:
            current_a[good] = filter_spikes(current_a[good], ranges[good])
        current_a[~good] = np.nan
        info = {
            "mode": self._options.mode,
            "supply_mv": str(self._options.supply_mv),
            "spike_filter": str(self._options.spike_filter).lower(),
            "realigned": str(samples.realigned),
            "nominal_modifiers": " ".join(self.calibration.nominal),
        }
        info |= self.clock_info() if self._options.real_time else {}
        return Trace(
            rate_hz=RATE_HZ,
            source=self.source,
            probe=INSTRUMENT,
            rail=self._options.rail,
            current_a=current_a,
            voltage_v=np.full(len(current_a), self._options.supply_mv / 1e3),
            markers=self._markers(samples),
            lost=samples.lost,
            info=info,
        )

    def _markers(self, samples: Samples) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        markers = np.zeros(len(samples.logic), dtype=np.uint8)
        for pin, at in enumerate(self._options.marker_inputs):
            markers |= ((samples.logic >> np.uint8(at)) & np.uint8(1)) << np.uint8(pin)
        markers[samples.lost] = 0xFF
        return markers

    def _read_calibration(self) -> Calibration:
        self._write(bytes([STOP]))  # a killed run may have left it streaming
        self._drain()
        self._write(bytes([METADATA]))
        text = b""
        deadline = time.monotonic() + self._options.answer_s
        while TERMINATOR not in text:
            if time.monotonic() > deadline:
                raise BenchError(
                    f"no PPK2 answers at {self._path} ({len(text)} bytes came)",
                    cure="is the port a PPK2's? name it by [probe] port",
                )
            text += self._read()
            if len(text) > MAX_TEXT_BYTES:
                raise BenchError(
                    f"what is at {self._path} talks without end", cure="is the port a PPK2's? name it by [probe] port"
                )
        return parse_metadata(text)

    def _drain(self) -> None:
        deadline = time.monotonic() + self._options.answer_s
        while self._read():
            if time.monotonic() > deadline:
                raise BenchError(f"the PPK2 at {self._path} doesn't stop streaming", cure="unplug it and plug it in")

    def _configure(self) -> None:
        self._write(bytes([MODE, MODES[self._options.mode]]))
        self._write(bytes([REGULATOR, *divmod(self._options.supply_mv, 256)]))
        self._write(bytes([DUT_POWER, 1]))
