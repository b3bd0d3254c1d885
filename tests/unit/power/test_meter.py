"""From the emulated board's states to energy by stage: timeline -> stand-in -> driver -> marker edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.contracts.errors import BenchError
from harness.contracts.probe import PowerTimeline
from harness.power.meter import ProbeMeter, TimelineMeter
from harness.power.ppk2 import Ppk2Options, Ppk2Probe
from harness.power.ppk2_words import RATE_HZ
from harness.power.replay import ReplayProbe
from harness.power.standins.ppk2 import Ppk2Faults, StandinPpk2
from harness.power.standins.render import render
from harness.power.trace import read_trace
from testbeds.virtual.power_states import currents, power_timeline

from .conftest import exact_uj, make_timeline

STAGES = [(0.0, "local"), (8.0, "encode"), (9.5, "network"), (60.0, "combine")]


def test_the_pipeline_finds_the_modelled_energy_of_each_stage() -> None:
    timeline = power_timeline(STAGES, 60.4, clock_mhz=216, tx=[(12, 40)], rx=[(58, 59)])
    core, wifi = currents().core_ma("run", 216), currents().wifi["esp32"]
    with TimelineMeter(rail=timeline.rail) as meter:
        found = meter.measure(timeline)
    assert (found.source, found.rail) == ("modelled", timeline.rail)
    per_ms = 3.3e0  # uJ of 1 mA for 1 ms at 3.3 V
    assert found.stages_uj["local"] == pytest.approx(8 * (core + wifi.idle_ma) * per_ms, rel=1e-3)
    sending = 28 * (wifi.tx_ma - wifi.idle_ma)
    assert found.stages_uj["network"] == pytest.approx((50.5 * (core + wifi.idle_ma) + sending) * per_ms, rel=1e-3)
    assert found.total_uj == pytest.approx(exact_uj(timeline), rel=1e-3)
    assert found.stage_ms == {s: pytest.approx(ms) for s, ms in zip(found.stage_ms, (8, 1.5, 50.5, 0.4), strict=True)}


def test_the_same_seed_gives_the_same_bits_in_any_order() -> None:
    one, other = make_timeline(), make_timeline(0.5)
    with TimelineMeter(rail="r") as meter:
        first = [meter.measure(one, 1), meter.measure(other, 2), meter.measure(one, 3)]
    with TimelineMeter(rail="r") as meter:
        second = [meter.measure(one, 3), meter.measure(other, 2), meter.measure(one, 1)]
    assert [e.total_uj for e in first] == [e.total_uj for e in reversed(second)]
    assert first[0].total_uj != first[2].total_uj


def test_a_fault_voids_one_sample_and_the_next_is_measured() -> None:
    with TimelineMeter(rail="r", faults=Ppk2Faults(drop_words=((3000, 2),))) as meter:
        lossy, good = meter.measure(make_timeline()), meter.measure(make_timeline())
    assert lossy.total_uj is None
    assert lossy.lost_samples == 2
    assert good.total_uj is not None


def test_an_unplugged_probe_voids_the_energy_and_raises_nothing() -> None:
    with TimelineMeter(rail="r", faults=Ppk2Faults(unplug_after_words=3000)) as meter:
        found = meter.measure(make_timeline())
        assert "went away" in str(meter.measure(make_timeline()).reason)
    assert found.total_uj is None
    assert "went away" in str(found.reason)


def test_the_trace_can_be_kept_and_replayed_to_the_same_energy(tmp_path: Path) -> None:
    with TimelineMeter(rail="r") as meter:
        found = meter.measure(make_timeline(), keep=tmp_path / "t.parquet")
    assert len(read_trace(tmp_path / "t.parquet")) == 6500
    with ProbeMeter(ReplayProbe(tmp_path / "t.parquet")) as replay:
        replay.begin()
        assert replay.end().total_uj == found.total_uj


def test_idle_subtraction_through_the_whole_path() -> None:
    with TimelineMeter(rail="r", subtract_idle=True) as meter:
        found = meter.measure(make_timeline())
    # (10 ms * 90 mA + 2 * 100 + 46 * 190 + 1 * 90) * 3.3 V
    assert found.total_uj == pytest.approx((900 + 200 + 8740 + 90) * 3.3, rel=2e-3)
    assert found.idle_w == pytest.approx(0.21 * 3.3, rel=2e-3)


def test_a_probe_that_fails_to_start_or_to_measure_is_null_with_the_reason() -> None:
    with StandinPpk2() as standin, Ppk2Probe(standin.path, Ppk2Options(quiet_s=0.02)) as probe:
        meter = ProbeMeter(probe, rail="3V3")
        probe.start()
        meter.begin()
        assert "already" in str(meter.end().reason)
        probe.close()
    with StandinPpk2() as standin, Ppk2Probe(standin.path, Ppk2Options(quiet_s=0.02)) as probe:
        meter = ProbeMeter(probe, rail="3V3")
        meter.begin()
        found = meter.end()
        assert "sent no samples" in str(found.reason)
        assert (found.total_uj, found.rail, found.source) == (None, "3V3", "measured")


def test_a_meter_of_another_voltage_is_refused() -> None:
    with TimelineMeter(rail="r", supply_v=3.0) as meter, pytest.raises(BenchError, match=r"3\.3 V"):
        meter.measure(make_timeline())


def test_what_the_host_sets_reaches_the_instrument() -> None:
    with StandinPpk2(marker_inputs=(5, 0, 7)) as standin:
        options = Ppk2Options(mode="ampere", supply_mv=1800, marker_inputs=(5, 0, 7), real_time=False, quiet_s=0.02)
        with Ppk2Probe(standin.path, options) as probe:
            probe.start()
            probe.wait_for(standin.play(make_timeline()), quiet_s=5.0)
            trace = probe.stop()
        assert (standin.mode, standin.supply_mv, standin.powered) == (1, 1800, True)
    assert trace.markers is not None
    assert np.array_equal(trace.markers, render(make_timeline(), RATE_HZ)[1])
    assert trace.voltage_v is not None
    assert trace.voltage_v[0] == pytest.approx(1.8)


def test_missing_bytes_and_a_glitching_pin_end_in_a_void_or_a_counted_glitch() -> None:
    for faults, total in ((Ppk2Faults(drop_bytes=(8001,)), None), (Ppk2Faults(flip_markers=((1200, 0b011),)), 1.0)):
        with TimelineMeter(rail="r", faults=faults) as meter:
            found = meter.measure(make_timeline())
        assert (found.total_uj is None) == (total is None) or found.reason is not None


def test_more_than_the_instrument_can_measure_is_refused() -> None:
    with StandinPpk2() as standin, pytest.raises(ValueError, match="1 A"):
        standin.play(make_timeline(4.0))


def test_dither_keeps_means_unbiased_where_steps_are_a_milliampere() -> None:
    n = 20_000
    flat = PowerTimeline(np.array([0.0]), np.array([0.2104]), np.array([0], dtype=np.uint8), n / 100, 3.3, "r")
    with StandinPpk2() as standin:
        options = Ppk2Options(real_time=False, quiet_s=0.02)
        with Ppk2Probe(standin.path, options) as probe:
            probe.start()
            probe.wait_for(standin.play(flat), quiet_s=5.0)
            trace = probe.stop()
    assert trace.current_a is not None
    assert trace.current_a.mean() == pytest.approx(0.2104, abs=2e-5)
    assert np.unique(trace.current_a).size <= 3


def test_rendering_keeps_the_charge() -> None:
    for rate in (1000.0, 33_333.0, 100_000.0):
        current, markers = render(make_timeline(), rate)
        assert len(current) == len(markers)
        charge = float(np.sum(current)) / rate * 3.3 * 1e6
        assert charge == pytest.approx(make_timeline().energy_uj(), rel=1e-3)
