"""The one way in which a run gets energy, on modelled and on measured boards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.contracts.probe import PowerTimeline
from harness.contracts.testbed import SampleLog, Testbed
from harness.power.meter import TimelineMeter
from harness.power.probes import ProbeConfig
from harness.power.sampling import MeasuredEnergy, ModelledEnergy, energy_meter

from .conftest import exact_uj, make_timeline

LINK = LinkSpec.symmetric(1e6)


class Bare(Testbed):
    """A testbed without any model."""

    name = "bare"

    def check(self) -> None: ...

    def flash(self, image: Path) -> None: ...

    def reset(self) -> None: ...

    def open(self) -> Any: ...

    def close(self) -> None: ...


class Modelled(Bare):
    """One that knows what it draws, unless the log is empty."""

    name = "modelled"

    def power_timeline(self, log: SampleLog, link: LinkSpec) -> PowerTimeline | None:
        if log.remote_ms is None:
            raise BenchError("the log is empty", cure="none")
        return make_timeline(log.remote_ms)


def test_a_modelled_board_gets_a_meter_of_its_own_and_a_bare_one_none() -> None:
    assert energy_meter(Bare) is None
    assert isinstance(energy_meter(Modelled), ModelledEnergy)
    assert isinstance(energy_meter(Modelled()), ModelledEnergy)


def test_modelled_energy_is_that_of_the_timeline_sample_by_sample() -> None:
    with ModelledEnergy() as meter:
        for scale in (1.0, 0.5):
            meter.begin()
            found = meter.end(Modelled(), SampleLog(remote_ms=scale), LINK, seed=3)
            assert found.source == "modelled"
            assert found.total_uj == pytest.approx(exact_uj(make_timeline(scale)), rel=2e-3)


def test_what_can_not_be_modelled_is_null_with_the_reason() -> None:
    with ModelledEnergy() as meter:
        assert "log is empty" in str(meter.end(Modelled(), SampleLog(), LINK).reason)
        found = meter.end(Bare(), SampleLog(), LINK)
    assert "bare has no model" in str(found.reason)
    assert set(found.columns().values()) == {None}


def test_a_configured_probe_is_used_before_the_model(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with TimelineMeter(rail="r") as one:
        expected = one.measure(make_timeline(), keep=path)
    meter = energy_meter(Modelled, ProbeConfig(kind="replay", path=path))
    assert isinstance(meter, MeasuredEnergy)
    with meter:
        meter.begin()
        assert meter.end(Modelled(), SampleLog(), LINK).total_uj == expected.total_uj
