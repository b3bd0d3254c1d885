"""Checks the energy of an inference, by the testbed's probe, or by its model where the board is one.

Run it with `pytest --testbed X -m energy`.
"""

from __future__ import annotations

import pytest

from harness.hil.measuring import Hil, Seen
from harness.power.energy import StageEnergy
from harness.power.sampling import ModelledEnergy

pytestmark = [pytest.mark.hil, pytest.mark.energy]

_SEED = 7


@pytest.fixture
def meter(hil: Hil) -> ModelledEnergy:
    """Return the meter of the testbed's model.

    What is asserted with it can be worked out exactly, which a probe's values can't.
    """
    if not isinstance(hil.meter, ModelledEnergy):
        pytest.skip(f"testbed {hil.description.name} has no model of what it draws, or its link is not shaped")
    return hil.meter


def test_a_total_is_no_less_than_its_stages(hil: Hil, hil_scheme: str) -> None:
    """Check the total of a probe and that of a model."""
    if hil.meter is None:
        pytest.skip(f"testbed {hil.description.name} has neither probe nor model of what it draws")
    for image in hil.images:
        row = hil.see(hil_scheme, image).row
        assert row["energy_uj"] is not None, row["energy_reason"]
        told = {stage: row[f"energy_{stage}_uj"] for stage in ("local", "encode", "network", "combine")}
        told = {stage: value for stage, value in told.items() if value is not None}
        assert told
        for stage, value in told.items():  # what did not take place costs nothing, and nothing else does
            assert (value > 0) == (row[f"{stage}_ms"] > 0), stage
        assert sum(told.values()) <= row["energy_uj"] + 0.01  # rounded to 0.001 uJ each
        assert row["energy_uj_source"] in ("measured", "modelled")


def _energy(hil: Hil, meter: ModelledEnergy, scheme: str, seen: Seen) -> StageEnergy:
    if seen.link is None:
        pytest.skip("the energy over an unshaped link is unknown")
    return meter.end(hil.board(scheme).testbed, seen.log, seen.link, _SEED)


def test_stages_add_up_to_the_total(hil: Hil, hil_scheme: str, meter: ModelledEnergy) -> None:
    """Check that every sample is in one stage: what is missing is a stage too short to be told by itself."""
    for image in hil.images:
        energy = _energy(hil, meter, hil_scheme, hil.see(hil_scheme, image))
        assert energy.source == "modelled"
        assert energy.reason is None
        assert energy.total_uj is not None
        told = [value for value in energy.stages_uj.values() if value is not None]
        assert told
        assert all(value > 0 for value in told)
        # A stage that is null has at most 10 samples of 10 us, at the most that board and module draw together.
        most_uj = len(energy.stage_reasons) * energy.shortest_stage_us * _most_w(hil, hil_scheme, image)
        missing_uj = energy.total_uj - sum(told)
        assert -1e-6 <= missing_uj <= most_uj + 1e-6


def test_the_energy_is_that_of_the_timeline(hil: Hil, hil_scheme: str, meter: ModelledEnergy) -> None:
    """Check what the probe found over the inference against the exact sum of the model.

    What the board draws idle before and after is taken off.
    """
    for image in hil.images:
        seen = hil.see(hil_scheme, image)
        energy = _energy(hil, meter, hil_scheme, seen)
        assert seen.link is not None
        assert energy.total_uj is not None
        timeline = hil.board(hil_scheme).testbed.power_timeline(seen.log, seen.link)
        assert timeline is not None
        ends = [*timeline.start_ms[1:], timeline.end_ms]
        pieces = zip(timeline.start_ms, ends, timeline.current_a, timeline.markers, strict=True)
        exact = sum((end - start) * current for start, end, current, code in pieces if code) * timeline.voltage_v * 1e3
        resolution = 2 * 10 * _most_w(hil, hil_scheme, image)  # one sample of 10 us at either end
        assert energy.total_uj == pytest.approx(exact, rel=0.005, abs=resolution)


def test_equal_samples_have_equal_energies(hil: Hil, hil_scheme: str, meter: ModelledEnergy) -> None:
    seen = hil.see(hil_scheme, hil.images[0])
    first = _energy(hil, meter, hil_scheme, seen)
    assert first.total_uj is not None
    assert _energy(hil, meter, hil_scheme, seen).columns() == first.columns()


def test_stages_last_as_long_as_the_cycle_counter_says(hil: Hil, hil_scheme: str, meter: ModelledEnergy) -> None:
    for image in hil.images:
        seen = hil.see(hil_scheme, image)
        energy = _energy(hil, meter, hil_scheme, seen)
        waited = seen.row["network_ms"] + seen.row["remote_ms"]
        known = {stage: seen.row[f"{stage}_ms"] for stage in ("local", "encode", "combine")} | {"network": waited}
        for stage, ms in known.items():
            assert energy.stage_ms.get(stage, 0.0) == pytest.approx(ms, abs=0.021), stage  # an edge either side


def test_energy_is_within_the_limits_of_the_bench_file(hil: Hil, hil_scheme: str) -> None:
    """Check the limits by whatever meter the testbed has: a probe, or the model of an emulated board."""
    limits = hil.limits(hil_scheme, "_uj") | hil.limits(hil_scheme, "_mw")
    if not limits:
        pytest.skip(f"the bench file of {hil.description.name} limits no energy of {hil_scheme}")
    for column, limit_uj in limits.items():
        for image in hil.images:
            row = hil.see(hil_scheme, image).row
            assert row[column] is not None, row["energy_reason"]
            assert row[column] <= limit_uj, f"{column} of image {image}"


def _most_w(hil: Hil, scheme: str, image: int) -> float:
    seen = hil.see(scheme, image)
    assert seen.link is not None
    timeline = hil.board(scheme).testbed.power_timeline(seen.log, seen.link)
    assert timeline is not None
    return float(max(timeline.current_a)) * timeline.voltage_v
