"""Computes the energy of an inference and of its stages from a trace: the sum of V * I * dt between marker edges.

A value that can't be had is None with the reason, never 0: lost samples, markers that are missing, cut or out of order
void the whole inference; a stage of too few samples voids that stage only. `network` covers all waiting, the remote
service time included, as its marker does. Sample k of a trace stands for [k, k + 1) / rate: an edge is known to one
sample, so a stage of n samples carries up to 1 / n of its neighbours' power.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.contracts.probe import STAGE_CODES, Floats, Source, Trace
from harness.power.markers import Excursion, excursions

MIN_STAGE_SAMPLES = 10  # fewer: the two edges alone may be off by a tenth of the stage
MIN_IDLE_SAMPLES = 10


@dataclass(frozen=True)
class StageEnergy:
    """Holds the energy of one inference, uJ. `total_uj` None = it could not be measured; `reason` says why."""

    total_uj: float | None
    stages_uj: Mapping[str, float | None]
    stage_ms: Mapping[str, float]
    source: Source
    probe: str
    rail: str
    reason: str | None = None
    stage_reasons: Mapping[str, str] = field(default_factory=dict)
    idle_w: float | None = None  # mean power at idle level around the inference, None when too short to tell
    idle_subtracted: bool = False
    shortest_stage_us: float = 0.0  # the shortest stage that this sample clock resolves
    lost_samples: int = 0
    glitches: int = 0

    @property
    def mean_w(self) -> float | None:
        """Return the mean power over the inference, W."""
        ms = sum(self.stage_ms.values())
        return None if self.total_uj is None or ms <= 0 else self.total_uj / ms / 1e3

    def columns(self) -> dict[str, float | None]:
        """Return `energy_uj` and `energy_<stage>_uj` of every stage of the path: a row's values, null where not
        measured.

        A stage that the scheme does not have is null too: nothing was measured there.
        """
        stages = {f"energy_{stage}_uj": self.stages_uj.get(stage) for stage in STAGE_CODES if stage != "idle"}
        return {"energy_uj": self.total_uj, **stages}


def inference_energies(trace: Trace, *, subtract_idle: bool = False) -> list[StageEnergy]:
    """Return the energy of every inference of the trace, in order (empty when the markers never left idle).

    Args:
        trace: with markers.
        subtract_idle: take the mean idle power of this trace off every sample; stated in the result.
    """
    if trace.markers is None:
        return [_void(trace, "the probe has no marker channels", 0, 0)]
    energy_uj = sample_energies_uj(trace)
    found = excursions(trace.markers, trace.lost)
    idle_w = _idle_w(trace, energy_uj, found)
    return [_energy(trace, energy_uj, one, idle_w, subtract_idle) for one in found]


def sample_energy(trace: Trace, *, subtract_idle: bool = False) -> StageEnergy:
    """Return the energy of the one inference of a trace that was recorded around it. It is void when there is none, or
    more than one.
    """
    found = inference_energies(trace, subtract_idle=subtract_idle)
    if len(found) == 1:
        return found[0]
    if not found:
        return _void(trace, "the marker pins never left idle: are they wired?", trace.lost_samples, 0)
    return _void(trace, f"{len(found)} inferences in a recording of one", trace.lost_samples, 0)


def window_energy_uj(trace: Trace, start_s: float, end_s: float) -> float:
    """Return the energy of the samples [round(start_s * rate), round(end_s * rate)), uJ, with times on the trace's own
    clock.

    Raises:
        ValueError: the window is empty, leaves the trace, or holds lost samples.
    """
    a, b = round((start_s - trace.start_s) * trace.rate_hz), round((end_s - trace.start_s) * trace.rate_hz)
    if not 0 <= a < b <= len(trace):
        raise ValueError(f"the window {start_s}..{end_s} s is not in a trace of {trace.duration_s:.3f} s")
    if trace.lost is not None and (lost := int(np.count_nonzero(trace.lost[a:b]))):
        raise ValueError(f"{lost} samples were lost in the window {start_s}..{end_s} s")
    return float(np.sum(sample_energies_uj(trace)[a:b]))


def sample_energies_uj(trace: Trace) -> Floats:
    """Return the energy of each sample, uJ, as float64 [n]; NaN where lost."""
    if trace.energy_uj is not None:
        return trace.energy_uj
    if trace.current_a is None or trace.voltage_v is None:
        raise ValueError("a trace without current and voltage has no energy")
    return trace.current_a * trace.voltage_v * (1e6 / trace.rate_hz)


def shortest_stage_us(rate_hz: float) -> float:
    """Return the shortest stage that a sample clock resolves (to about a tenth), us."""
    return MIN_STAGE_SAMPLES / rate_hz * 1e6


def _idle_w(trace: Trace, energy_uj: Floats, found: list[Excursion]) -> float | None:
    idle = np.ones(len(trace), dtype=np.bool_)
    for one in found:
        idle[one.start : one.stop] = False
    if trace.lost is not None:
        idle &= ~trace.lost
    if np.count_nonzero(idle) < MIN_IDLE_SAMPLES:
        return None
    return float(np.mean(energy_uj[idle])) * trace.rate_hz / 1e6


def _energy(trace: Trace, energy_uj: Floats, one: Excursion, idle_w: float | None, subtract_idle: bool) -> StageEnergy:
    lost = 0 if trace.lost is None else int(np.count_nonzero(trace.lost[one.start : one.stop]))
    if one.problem is not None:
        return _void(trace, one.problem, lost, one.glitches)
    if subtract_idle and idle_w is None:
        return _void(trace, f"fewer than {MIN_IDLE_SAMPLES} idle samples to subtract", lost, one.glitches)
    if not bool(np.all(np.isfinite(energy_uj[one.start : one.stop]))):
        return _void(trace, "a sample during the inference is not a number", lost, one.glitches)
    offset = idle_w * 1e6 / trace.rate_hz if subtract_idle and idle_w is not None else 0.0
    sums = {stage: float(np.sum(energy_uj[r.start : r.stop] - offset)) for stage, r in one.stages().items()}
    samples = {stage: r.stop - r.start for stage, r in one.stages().items()}
    limit_us = shortest_stage_us(trace.rate_hz)
    short = {
        stage: f"{n / trace.rate_hz * 1e6:g} us is shorter than the {limit_us:g} us that this probe resolves"
        for stage, n in samples.items()
        if n < MIN_STAGE_SAMPLES
    }
    return StageEnergy(
        total_uj=sum(sums.values()),
        stages_uj={stage: None if stage in short else value for stage, value in sums.items()},
        stage_ms={stage: n / trace.rate_hz * 1e3 for stage, n in samples.items()},
        source=trace.source,
        probe=trace.probe,
        rail=trace.rail,
        stage_reasons=short,
        idle_w=idle_w,
        idle_subtracted=subtract_idle,
        shortest_stage_us=limit_us,
        lost_samples=lost,
        glitches=one.glitches,
    )


def _void(trace: Trace, reason: str, lost: int, glitches: int) -> StageEnergy:
    return StageEnergy(
        total_uj=None,
        stages_uj={},
        stage_ms={},
        source=trace.source,
        probe=trace.probe,
        rail=trace.rail,
        reason=reason,
        shortest_stage_us=shortest_stage_us(trace.rate_hz),
        lost_samples=lost,
        glitches=glitches,
    )
