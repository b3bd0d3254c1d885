"""Measures the energy of each sample of a run, whatever the testbed: by a probe where there is one, by the model where
the board is one.

meter = energy_meter(testbed, lab.probe)                # None: this testbed has neither
meter.begin(); ...the inference...
energy = meter.end(testbed, log, link, seed)            # a StageEnergy, null with the reason when it failed
row |= energy.columns(); source = energy.source
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.contracts.testbed import SampleLog, Testbed
from harness.power.energy import StageEnergy
from harness.power.meter import ProbeMeter, TimelineMeter, void
from harness.power.ppk2_words import RATE_HZ
from harness.power.probes import ProbeConfig, open_probe


class EnergyMeter(ABC):
    """Measures energies, one meter a board. `begin` comes before the inference is asked for, `end` after its result."""

    needs_link = False  # is an energy unknown where the link is left as it is?

    @abstractmethod
    def begin(self) -> None:
        """Note that the inference is about to start."""

    @abstractmethod
    def end(
        self, testbed: Testbed, log: SampleLog, link: LinkSpec | None, seed: int = 0, keep: Path | None = None
    ) -> StageEnergy:
        """Return its energy. `keep` = where to write the trace (.parquet or .csv). This raises nothing for a failed
        probe.
        """

    def cycle_supply(self, off_s: float) -> None:
        """Switch the board's supply off for `off_s` seconds. Raises BenchError where nothing that is here feeds it."""
        raise BenchError("nothing that could be switched feeds this board", cure="switch its supply by a program")

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of the instrument, its calibration among it."""

    @abstractmethod
    def close(self) -> None:
        """Give the instrument back. It is safe to call this twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MeasuredEnergy(EnergyMeter):
    """Measures by a real probe."""

    def __init__(self, meter: ProbeMeter) -> None:
        self._meter = meter

    def begin(self) -> None:
        self._meter.begin()

    def end(
        self, testbed: Testbed, log: SampleLog, link: LinkSpec | None, seed: int = 0, keep: Path | None = None
    ) -> StageEnergy:
        return self._meter.end(keep)

    def cycle_supply(self, off_s: float) -> None:
        self._meter.probe.cycle_supply(off_s)

    def facts(self) -> dict[str, Any]:
        """Return the probe's facts."""
        return self._meter.probe.facts()

    def close(self) -> None:
        self._meter.close()


class ModelledEnergy(EnergyMeter):
    """Measures by the testbed's own model of what it drew, through a stand-in of a PPK2. The source is `modelled`."""

    needs_link = True

    def __init__(self, *, subtract_idle: bool = False) -> None:
        self._subtract_idle = subtract_idle
        self._meter: TimelineMeter | None = None

    def begin(self) -> None:
        """Do nothing: the model speaks afterwards."""

    def end(
        self, testbed: Testbed, log: SampleLog, link: LinkSpec | None, seed: int = 0, keep: Path | None = None
    ) -> StageEnergy:
        if link is None:
            return self._void("the model does not know how long the module sent over an unshaped link")
        try:
            timeline = testbed.power_timeline(log, link)
        except BenchError as e:
            return self._void(str(e))
        if timeline is None:
            return self._void(f"{testbed.name} has no model of what it draws")
        if self._meter is None:
            self._meter = TimelineMeter(
                rail=timeline.rail, supply_v=timeline.voltage_v, subtract_idle=self._subtract_idle
            )
        return self._meter.measure(timeline, seed, keep)

    def facts(self) -> dict[str, Any]:
        """Return the stand-in's facts. It needs no calibration: it is told what it would have measured."""
        return {"name": "PPK2 (stand-in)", "source": "modelled", "rate_hz": RATE_HZ, "calibration": None}

    def close(self) -> None:
        meter, self._meter = self._meter, None
        if meter is not None:
            meter.close()

    def _void(self, reason: str) -> StageEnergy:
        return void(reason, source="modelled", probe="PPK2", rail="", rate_hz=RATE_HZ)


def energy_meter(testbed: type[Testbed] | Testbed, probe: ProbeConfig | None = None) -> EnergyMeter | None:
    """Return the meter for a testbed: its probe if one is configured, else its model, else None.

    Raises:
        BenchError: the probe isn't there.
    """
    if probe is not None:
        return MeasuredEnergy(ProbeMeter(open_probe(probe)))
    kind = testbed if isinstance(testbed, type) else type(testbed)
    return ModelledEnergy() if kind.power_timeline is not Testbed.power_timeline else None
