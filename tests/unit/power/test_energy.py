"""Energy between marker edges: exact where it can be, None with the reason where it can't."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.probe import STAGE_CODES, Trace
from harness.power.energy import inference_energies, sample_energy, window_energy_uj
from harness.power.markers import excursions

FULL = ["idle", "local", "encode", "network", "combine", "idle"]


def trace(levels: list[int], current_a: float | list[float] = 0.1, lost: list[int] | None = None) -> Trace:
    n = len(levels)
    gone = np.zeros(n, dtype=np.bool_)
    gone[lost or []] = True
    current = np.full(n, current_a) if isinstance(current_a, float) else np.array(current_a, dtype=float)
    current[gone] = np.nan
    return Trace(
        rate_hz=1000.0,
        source="modelled",
        probe="test",
        rail="r",
        current_a=current,
        voltage_v=np.full(n, 2.0),
        markers=np.array(levels, dtype=np.uint8),
        lost=gone,
    )


def levels(stages: list[str], each: int = 20) -> list[int]:
    return [STAGE_CODES[s] for s in stages for _ in range(each)]


def test_each_step_of_the_full_path_changes_one_pin_until_it_returns_to_idle() -> None:
    codes = [STAGE_CODES[s] for s in FULL[:-1]]
    assert [(a ^ b).bit_count() for a, b in pairwise(codes)] == [1, 1, 1, 1]


def test_stages_add_up_to_the_total() -> None:
    found = sample_energy(trace(levels(FULL)))
    # 20 samples of 1 ms at 0.2 W are 4000 uJ a stage.
    assert found.stages_uj == {s: pytest.approx(4000.0) for s in FULL[1:-1]}
    assert found.total_uj == pytest.approx(16_000.0)
    assert found.reason is None
    assert found.idle_w == pytest.approx(0.2)
    assert found.mean_w == pytest.approx(0.2)
    assert found.shortest_stage_us == 10_000.0


def test_a_rows_columns_hold_nulls_for_what_was_not_measured() -> None:
    found = sample_energy(trace(levels(["idle", "local", "idle"])))
    assert found.columns() == {
        "energy_uj": pytest.approx(4000.0),
        "energy_local_uj": pytest.approx(4000.0),
        "energy_encode_uj": None,
        "energy_network_uj": None,
        "energy_combine_uj": None,
    }
    assert set(sample_energy(trace(levels(["idle"]))).columns().values()) == {None}


def test_idle_is_subtracted_only_when_asked_and_that_is_stated() -> None:
    current = [0.1] * 20 + [0.3] * 80 + [0.1] * 20
    gross, net = (sample_energy(trace(levels(FULL), current), subtract_idle=s) for s in (False, True))
    assert not gross.idle_subtracted
    assert gross.total_uj == pytest.approx(80 * 600.0)
    assert net.idle_subtracted
    assert net.total_uj == pytest.approx(80 * 400.0)


@pytest.mark.parametrize("at", [20, 45, 99])
def test_a_lost_sample_during_the_inference_voids_its_energy(at: int) -> None:
    found = sample_energy(trace(levels(FULL), lost=[at]))
    assert found.total_uj is None
    assert found.stages_uj == {}
    assert "lost" in str(found.reason)


@pytest.mark.parametrize("at", [3, 110])
def test_a_lost_sample_outside_harms_nothing(at: int) -> None:
    assert sample_energy(trace(levels(FULL), lost=[at])).total_uj == pytest.approx(16_000.0)


@pytest.mark.parametrize(
    ("stages", "reason"),
    [
        (["idle", "local", "network", "encode", "idle"], "out of order"),
        (["local", "encode", "idle"], "begins inside"),
        (["idle", "local", "encode"], "ends inside"),
        (["idle"], "never left idle"),
        (["idle", "local", "idle", "local", "idle"], "2 inferences"),
    ],
)
def test_markers_that_make_no_inference_void_it_with_the_reason(stages: list[str], reason: str) -> None:
    found = sample_energy(trace(levels(stages)))
    assert found.total_uj is None
    assert reason in str(found.reason)


def test_a_level_that_is_no_stage_voids_it() -> None:
    found = sample_energy(trace([0] * 20 + [1] * 20 + [0b111] * 20 + [0] * 20))
    assert "111 is no stage" in str(found.reason)


def test_no_marker_channel_is_said() -> None:
    bare = Trace(1000.0, "measured", "p", "r", current_a=np.ones(5), voltage_v=np.ones(5))
    assert "no marker" in str(sample_energy(bare).reason)


def test_a_stage_too_short_for_the_sample_clock_is_null_and_the_total_stays() -> None:
    found = sample_energy(trace([0] * 20 + [1] * 40 + [6] * 3 + [0] * 20))
    assert found.stages_uj["combine"] is None
    assert "3000 us is shorter than the 10000 us" in found.stage_reasons["combine"]
    assert found.total_uj == pytest.approx(43 * 200.0)


def test_one_sample_between_two_pins_that_change_together_is_a_glitch_and_counted() -> None:
    # idle 000 -> encode 011 by way of 001, as a probe may catch it
    found = sample_energy(trace([0] * 20 + [1] + [3] * 20 + [2] * 20 + [0] * 20))
    assert found.glitches == 1
    assert list(found.stages_uj) == ["encode", "network"]
    assert found.stage_ms["encode"] == pytest.approx(21.0)


def test_without_enough_idle_nothing_can_be_subtracted() -> None:
    found = sample_energy(trace([0] * 4 + [1] * 20 + [0] * 4), subtract_idle=True)
    assert found.total_uj is None
    assert "idle samples" in str(found.reason)


def test_every_inference_of_a_long_trace_is_found() -> None:
    one = levels(FULL)
    found = inference_energies(trace(one * 3, lost=[45]))
    assert [e.total_uj is None for e in found] == [True, False, False]


def test_windows_count_samples_as_the_published_method_does() -> None:
    steps = Trace(1000.0, "measured", "p", "r", energy_uj=np.arange(10, dtype=float))
    assert window_energy_uj(steps, 0.002, 0.005) == 2 + 3 + 4
    with pytest.raises(ValueError, match="not in a trace"):
        window_energy_uj(steps, 0.002, 0.011)
    lossy = Trace(1000.0, "measured", "p", "r", energy_uj=np.ones(10), lost=np.arange(10) == 3)
    with pytest.raises(ValueError, match="lost"):
        window_energy_uj(lossy, 0.002, 0.005)


@given(st.lists(st.integers(0, 7), max_size=200), st.lists(st.integers(0, 199), max_size=5))
def test_any_markers_give_energies_or_reasons(codes: list[int], lost: list[int]) -> None:
    one = trace(codes, lost=[at for at in lost if at < len(codes)])
    for found in inference_energies(one):
        assert (found.total_uj is None) == (found.reason is not None)
        if found.total_uj is not None:
            assert found.total_uj > 0
    covered = np.zeros(len(codes), dtype=int)
    for excursion in excursions(one.markers, one.lost):  # type: ignore[arg-type]
        covered[excursion.start : excursion.stop] += 1
    assert covered.max(initial=0) <= 1


def test_a_trace_must_make_sense() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        Trace(1.0, "measured", "p", "r", current_a=np.ones(3), voltage_v=np.ones(2))
    with pytest.raises(ValueError, match="current and voltage, or energy"):
        Trace(1.0, "measured", "p", "r", current_a=np.ones(3))
    with pytest.raises(ValueError, match="sample rate"):
        Trace(0.0, "measured", "p", "r", energy_uj=np.ones(3))
