"""Gives a run its energies: a meter per testbed, one `StageEnergy` per sample, never an exception for a lost value.

with TimelineMeter(rail=...) as meter:                       # a modelled board
    energy = meter.measure(timeline, seed=order)
with ProbeMeter(open_probe(config)) as meter:                # a real one
    meter.begin(); ...the inference...; energy = meter.end()
"""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.contracts.errors import BenchError
from harness.contracts.probe import PowerProbe, PowerTimeline, Source, Trace
from harness.power.energy import StageEnergy, sample_energy, shortest_stage_us
from harness.power.ppk2 import Ppk2Options, Ppk2Probe
from harness.power.standins.ppk2 import Ppk2Faults, StandinPpk2
from harness.power.trace import write_trace

log = logging.getLogger(__name__)

_STREAM_DRIES_UP_S = 5.0


def void(reason: str, *, source: Source, probe: str, rail: str, rate_hz: float) -> StageEnergy:
    """Return the energy of a sample whose recording failed: null, with the reason."""
    return StageEnergy(None, {}, {}, source, probe, rail, reason, shortest_stage_us=shortest_stage_us(rate_hz))


class ProbeMeter:
    """Measures the energy of one inference at a time by a real probe."""

    def __init__(self, probe: PowerProbe, *, rail: str = "", subtract_idle: bool = False) -> None:
        self.probe = probe
        self._rail = rail
        self._subtract_idle = subtract_idle
        self._failed: str | None = None

    def begin(self) -> None:
        """Start the recording, some milliseconds before the inference."""
        self._failed = None
        try:
            self.probe.start()
        except BenchError as e:
            self._failed = str(e)

    def end(self, keep: Path | None = None) -> StageEnergy:
        """Stop the recording and derive the energy; `keep` = also write the trace there (.parquet or .csv)."""
        try:
            if self._failed is not None:
                return self._void(self._failed)
            trace = self.probe.stop()
        except BenchError as e:
            return self._void(str(e))
        if keep is not None:
            write_trace(trace, keep)
        return sample_energy(trace, subtract_idle=self._subtract_idle)

    def close(self) -> None:
        """Give the probe back."""
        self.probe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _void(self, reason: str) -> StageEnergy:
        log.warning("no energy for this sample: %s", reason)
        return void(
            reason, source=self.probe.source, probe=self.probe.name, rail=self._rail, rate_hz=self.probe.rate_hz
        )


class TimelineMeter:
    """Measures the energy of a modelled board: its timeline, by a PPK2 stand-in and the driver that a real one gets."""

    def __init__(
        self,
        *,
        rail: str,
        supply_v: float = 3.3,
        subtract_idle: bool = False,
        faults: Ppk2Faults | None = None,
    ) -> None:
        self._subtract_idle = subtract_idle
        self._supply_v = supply_v
        self._standin = StandinPpk2(faults=faults)
        options = Ppk2Options(
            supply_mv=round(supply_v * 1e3),
            rail=rail,
            spike_filter=False,  # a stand-in switches ranges without spikes
            quiet_s=0.01,
            answer_s=10.0,
            real_time=False,
        )
        try:
            self.probe = Ppk2Probe(self._standin.path, options, source="modelled")
        except BaseException:
            self._standin.close()
            raise

    def measure(self, timeline: PowerTimeline, seed: int = 0, keep: Path | None = None) -> StageEnergy:
        """Return the energy of the one inference in `timeline`: a pure function of it and `seed` (the ADC's dither).

        Raises:
            BenchError: the timeline is of another supply voltage than the meter.
        """
        if round(timeline.voltage_v * 1e3) != round(self._supply_v * 1e3):
            raise BenchError(
                f"a timeline at {timeline.voltage_v:g} V and a meter at {self._supply_v:g} V",
                cure="make the meter with the timeline's supply",
            )
        try:
            trace = self.record(timeline, seed)
        except BenchError as e:
            return void(
                str(e), source="modelled", probe=self.probe.name, rail=timeline.rail, rate_hz=self.probe.rate_hz
            )
        if keep is not None:
            write_trace(trace, keep)
        return sample_energy(trace, subtract_idle=self._subtract_idle)

    def record(self, timeline: PowerTimeline, seed: int = 0) -> Trace:
        """Return the trace that the probe records of `timeline`. Raises BenchError when the recording fails."""
        self.probe.start()
        samples = self._standin.play(timeline, seed)
        self.probe.wait_for(samples, quiet_s=_STREAM_DRIES_UP_S)
        return self.probe.stop()

    def close(self) -> None:
        """End probe and stand-in. It is safe to call this twice."""
        self.probe.close()
        self._standin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
