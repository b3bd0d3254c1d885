"""Energy columns, tables and bars: nothing is 0 that was not measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from harness.analysis.cells import cells
from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError, SampleFailed
from harness.contracts.link import LinkSpec
from harness.contracts.testbed import SampleLog, Testbed
from harness.device.bringup import Board, State
from harness.device.stand_in import StandInTestbed
from harness.edge.services import Services
from harness.measure.axes import axis
from harness.measure.inference_energy import check_link, measure_with_energy, meter_for, with_energy
from harness.power.energy import StageEnergy
from harness.power.sampling import EnergyMeter, ModelledEnergy
from harness.report import energy, outcome
from harness.runs.measurements import ENERGY_METRICS
from harness.runs.published import beside
from harness.runs.sample import COLUMNS, Planned, Point, row
from harness.runs.store import Store
from harness.show import plots

pytestmark = pytest.mark.slow

PLANNED = Planned(0, Point("near", "tiny", "compact", "stand_in", 6e6), 3, False, 11)
TIMES = {"local_ms": 2.0, "encode_ms": 1.0, "network_ms": 5.0, "combine_ms": 0.01}


def _energy(**changes: Any) -> StageEnergy:
    fixed: dict[str, Any] = {
        "total_uj": 30.0,
        "stages_uj": {"local": 10.0, "encode": 5.0, "network": 14.5, "combine": None},
        "stage_ms": {"local": 2.0, "encode": 1.0, "network": 5.0, "combine": 0.01},
        "source": "modelled",
        "probe": "PPK2",
        "rail": "3V3",
        "stage_reasons": {"combine": "10 us is shorter than the 100 us that this probe resolves"},
        "shortest_stage_us": 100.0,
    }
    return StageEnergy(**fixed | changes)


class Meter(EnergyMeter):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def begin(self) -> None:
        self.asked.append("begin")

    def end(
        self, testbed: Testbed, log: SampleLog, link: LinkSpec, seed: int = 0, keep: Path | None = None
    ) -> StageEnergy:
        self.asked.append(f"end {seed}")
        return _energy()

    def facts(self) -> dict[str, Any]:
        return {"name": "stand-in"}

    def close(self) -> None: ...


def test_energy_columns_stand_together_and_each_has_a_source() -> None:
    first = COLUMNS.index("energy_uj")
    names = list(ENERGY_METRICS)
    found = [*names, *(f"{n}_source" for n in names), "energy_reason", "energy_rail"]
    assert list(COLUMNS[first : first + len(found)]) == found
    assert COLUMNS[first - 1] == "sample_seed"


def test_a_stage_that_was_not_resolved_is_null_with_its_reason() -> None:
    found = with_energy(row(PLANNED, 1) | TIMES, _energy())
    assert (found["energy_uj"], found["energy_network_uj"], found["energy_combine_uj"]) == (30.0, 14.5, None)
    assert (found["energy_uj_source"], found["energy_combine_uj_source"]) == ("modelled", None)
    assert found["energy_reason"] == "combine: 10 us is shorter than the 100 us that this probe resolves"
    assert found["energy_rail"] == "3V3"


def test_a_stage_between_two_samples_of_the_probe_has_a_reason_too() -> None:
    found = with_energy(row(PLANNED, 1) | TIMES, _energy(stages_uj={"local": 10.0, "encode": 5.0}, stage_reasons={}))
    assert found["energy_reason"] == "combine: shorter than the 100 us that this probe resolves"
    without = with_energy(row(PLANNED, 1) | TIMES | {"combine_ms": 0.0}, _energy(stage_reasons={}))
    assert without["energy_reason"] is None


def test_a_stage_that_did_not_take_place_cost_nothing() -> None:
    gone = TIMES | {"encode_ms": 0.0, "network_ms": 0.0}
    found = with_energy(row(PLANNED, 1) | gone, _energy(stages_uj={"local": 29.9, "combine": None}))
    assert (found["energy_encode_uj"], found["energy_network_uj"], found["energy_combine_uj"]) == (0.0, 0.0, None)
    assert found["energy_network_uj_source"] == "modelled"
    void = with_energy(row(PLANNED, 1) | gone, _energy(total_uj=None, stages_uj={}, reason="lost"))
    assert void["energy_network_uj"] is None


def test_a_void_energy_is_null_with_its_reason() -> None:
    found = with_energy(row(PLANNED, 1) | TIMES, _energy(total_uj=None, stages_uj={}, reason="3 samples were lost"))
    assert all(found[name] is None and found[f"{name}_source"] is None for name in ENERGY_METRICS)
    assert found["energy_reason"] == "3 samples were lost"


def test_idle_power_is_measured_or_null_and_never_0() -> None:
    found = with_energy(row(PLANNED, 1) | TIMES, _energy(idle_w=0.33125))
    assert (found["idle_mw"], found["idle_mw_source"]) == (331.25, "modelled")
    for idle_w in (None, 0.0):  # too short to tell; a channel that is not wired
        found = with_energy(row(PLANNED, 1) | TIMES, _energy(idle_w=idle_w))
        assert (found["idle_mw"], found["idle_mw_source"]) == (None, None)
    assert row(PLANNED, 1)["idle_mw"] is None  # nobody measured


def _measured(meter: Meter, board: Board) -> dict[str, Any]:
    services = Services()
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    link = LinkSpec.symmetric(6e6)
    return measure_with_energy(meter, board, PLANNED, picture, 1, link=link, pinned_ms=None, services=services)


def test_the_meter_runs_around_the_sample(make_board: Callable[..., Board], local_artefact: Artefact) -> None:
    meter = Meter()
    found = _measured(meter, make_board(local_artefact).to(State.READY))
    assert meter.asked == ["begin", "end 11"]
    assert (found["status"], found["energy_uj"]) == ("ok", 30.0)
    assert set(found) == set(COLUMNS)


def test_a_failed_sample_ends_the_recording(make_board: Callable[..., Board], local_artefact: Artefact) -> None:
    meter = Meter()
    board = make_board(local_artefact).to(State.READY)
    assert isinstance(board.testbed, StandInTestbed)
    board.testbed.device.faults.append("nak")
    with pytest.raises(SampleFailed):
        _measured(meter, board)
    assert meter.asked == ["begin", "end 0"]


def test_a_testbed_that_can_not_tell_is_refused() -> None:
    with pytest.raises(BenchError, match="stand_in has no model of what it draws, and lab"):
        meter_for(StandInTestbed)


def _row(scheme: str, image: int, total: float | None) -> dict[str, Any]:
    times = {f"{s}_ms": 1.0 for s in ("local", "encode", "network", "remote", "combine", "total")}
    fixed = {"scheme": scheme, "rate_bps": 6e6, "image": image, "warmup": False, "status": "ok", "exited": False}
    network = None if total is None else total / 2
    own = {"energy_uj": total, "energy_network_uj": network, "energy_uj_source": total and "modelled"}
    return fixed | times | own | {"energy_rail": total and "3V3", "energy_reason": None if total else "lost"}


ROWS = [*(_row("agilenn", i, 100.0 + i) for i in range(3)), *(_row("local_only", i, 202.0) for i in range(3))]
CELLS = cells([*ROWS, _row("agilenn", 3, None)], "rate_bps")


def test_ratios_stand_beside_the_papers() -> None:
    lines = {line["scheme"]: line for line in energy.rows(CELLS, "bandwidth", beside("fig19", "cifar100"))}
    assert (lines["agilenn"]["n"], lines["agilenn"]["void"], lines["agilenn"]["energy_uj"]) == (3, 1, 101.0)
    assert lines["local_only"]["ratio"] == 2.0
    assert lines["local_only"]["published_ratio"] is None
    assert lines["mcunet"]["published_ratio"] == pytest.approx(643.6 / 66.6)
    assert "energy_uj" not in lines["mcunet"]
    assert energy.rows(CELLS, "bandwidth", [])[0]["published_ratio"] is None


def test_tables_and_bars_are_written(tmp_path: Path) -> None:
    text = io.StringIO()
    written = energy.write(
        Store(tmp_path),
        axis("bandwidth"),
        CELLS,
        values={6e6: "6 Mbit/s"},
        titles={"agilenn": "AgileNN", "local_only": "Local only"},
        published=beside("fig19", "cifar100"),
        out=Console(file=text, width=160),
    )
    assert [p.name for p in written] == [
        "energy.csv",
        "energy.md",
        "energy.tex",
        "energy.png",
        "energy.pdf",
        "energy.svg",
    ]
    assert all(p.stat().st_size for p in written)
    with written[0].open() as f:
        assert [r["scheme"] for r in csv.DictReader(f)][:2] == ["agilenn", "local_only"]
    assert "Energy modelled; rail: 3V3; idle not subtracted" in text.getvalue()
    assert "MCUNet (paper)" in text.getvalue()


def test_equal_bars_have_equal_bytes(tmp_path: Path) -> None:
    files = [
        plots.energy(CELLS, {}, axis_title="rate", values={6e6: "6"}, note="n", out=tmp_path / name / "energy")
        for name in ("one", "two")
    ]
    for first, second in zip(*files, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_waiting_that_was_not_told_is_never_drawn_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that is not split is striped and says so; a split one ends where the whole does."""
    from matplotlib.axes import Axes  # noqa: PLC0415 - half a second

    drawn: list[tuple[float, float, str | None]] = []
    plain = Axes.bar

    def bar(self: Axes, x: Any, height: Any, *more: Any, bottom: float = 0.0, **kw: Any) -> Any:
        drawn.append((float(bottom), float(height), kw.get("hatch")))
        return plain(self, x, height, *more, bottom=bottom, **kw)

    monkeypatch.setattr(Axes, "bar", bar)
    rows = [*ROWS[:3], *(r | {"energy_network_uj": None} for r in ROWS[3:])]
    plots.energy(cells(rows, "rate_bps"), {}, axis_title="rate", values={6e6: "6"}, note="n", out=tmp_path / "energy")
    assert drawn == [(0.0, 0.0505, None), (0.0505, 0.0505, None), (0.0, 0.202, "////")]


def test_reasons_are_told_once_a_stage() -> None:
    rows = [dict(r, energy_reason=f"combine: {i}0 us is shorter than 100 us") for i, r in enumerate(ROWS[:3], 1)]
    rows[0]["energy_reason"] = "local: shorter than 100 us; " + rows[0]["energy_reason"]
    assert outcome.warnings([], rows, axis("bandwidth")) == [
        "no energy of local: shorter than 100 us (1 samples)",
        "no energy of combine: shorter than 100 us (3 samples)",
    ]


def test_a_probe_measures_over_any_link_and_a_model_only_over_one_it_knows() -> None:
    check_link(Meter(), None)
    check_link(ModelledEnergy(), LinkSpec.symmetric(6e6))
    with pytest.raises(BenchError, match="unshaped link"):
        check_link(ModelledEnergy(), None)
