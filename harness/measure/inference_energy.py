"""Takes a sample with its energy: `harness.measure.inference` runs between a power meter's begin and end."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import BenchError, SampleFailed
from harness.contracts.link import LinkSpec
from harness.contracts.testbed import SampleLog, Source, Testbed
from harness.device.bringup import Board
from harness.edge.services import Services
from harness.measure.inference import measure
from harness.power.energy import StageEnergy
from harness.power.probes import ProbeConfig
from harness.power.sampling import EnergyMeter, energy_meter
from harness.runs.sample import Planned, with_sources


def meter_for(testbed: type[Testbed] | Testbed, probe: ProbeConfig | None = None) -> EnergyMeter:
    """Return the meter of a testbed: the lab's `probe` where there is one, else the testbed's own model.

    Raises:
        BenchError: it has neither probe nor model.
    """
    meter = energy_meter(testbed, probe)
    if meter is None:
        raise BenchError(
            f"testbed {testbed.name} has no model of what it draws, and lab.toml names no probe",
            cure="leave --energy out, or write [probe] into lab.toml",
        )
    return meter


def check_link(meter: EnergyMeter, link: LinkSpec | None) -> None:
    """Check that the meter can tell an energy over this link. A probe can over any, a model only over one that it
    knows.

    Raises:
        BenchError: the meter can't.
    """
    if meter.needs_link and link is None:
        raise BenchError(
            "the modelled energy over an unshaped link is unknown", cure="give a --rate, or leave --energy out"
        )


def measure_with_energy(
    meter: EnergyMeter,
    board: Board,
    planned: Planned,
    picture: npt.NDArray[np.uint8],
    label: int,
    *,
    link: LinkSpec | None,
    pinned_ms: float | None,
    services: Services,
) -> dict[str, Any]:
    """Take a sample as `inference.measure` does, with the energy columns. An energy that was not to be had is null with
    its reason.

    Raises:
        SampleFailed: the sample itself could not be measured.
    """
    meter.begin()
    try:
        row = measure(board, planned, picture, label, link=link, pinned_ms=pinned_ms, services=services)
    except SampleFailed:
        meter.end(board.testbed, SampleLog(), link)  # a probe must not go on recording
        raise
    return with_energy(row, meter.end(board.testbed, board.testbed.sample_log(), link, planned.seed))


def with_energy(row: dict[str, Any], energy: StageEnergy) -> dict[str, Any]:
    """Return `row` with the columns of `energy`, uJ; `energy_reason` says why the total or a stage is null. Idle power
    is null where the recording has too little of it, or none that can be told from the inference.
    """
    values = {name: None if value is None else round(value, 3) for name, value in energy.columns().items()}
    if energy.total_uj is not None:
        for stage in ("local", "encode", "network", "combine"):
            if row[f"{stage}_ms"] == 0 and values[f"energy_{stage}_uj"] is None:
                values[f"energy_{stage}_uj"] = 0.0  # it did not take place, and cost nothing
    # No board draws exactly nothing: a 0 would be a channel that was not wired.
    values["idle_mw"] = round(energy.idle_w * 1e3, 3) if energy.idle_w else None
    sources: dict[str, Source] = dict.fromkeys(values, energy.source)
    reasons = dict(energy.stage_reasons)
    if energy.total_uj is not None:
        for stage in ("local", "encode", "combine"):
            if row[f"{stage}_ms"] > 0 and values[f"energy_{stage}_uj"] is None:
                reasons.setdefault(stage, f"shorter than the {energy.shortest_stage_us:g} us that this probe resolves")
    why = "; ".join(f"{stage}: {reason}" for stage, reason in reasons.items())
    told = {"energy_reason": energy.reason or why or None, "energy_rail": energy.rail or None}
    return with_sources(row | values | told, sources)
