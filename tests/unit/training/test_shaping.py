"""The sweep over channels, shaping and centroids: its recipes and seeds, its rows, table and figure from made rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis import shaping
from harness.analysis.material import Material, gather
from harness.commands import trained_sweep_options
from harness.contracts.errors import BenchError
from harness.report import training_tables
from harness.runs import trained_rows as rows
from harness.show.figures.figure import Missing
from harness.show.figures.of_shaping import Shaping
from harness.training.sweep import axes
from harness.training.sweep import plan as plans
from harness.training.sweep.points import Base, settings_of

from ..analysis.test_shaping import made

PLAN = plans.load()
POINTS = axes.settings(axes.AXES["shaping"], PLAN, None)


def test_every_combination_is_a_point_and_its_row_says_which() -> None:
    base = Base("cifar10", "compact", {}, PLAN.budget)
    asked = {
        (channels, shaped, n) for channels in ("random", "chosen") for shaped in ("yes", "no") for n in (2, 3, 4, 8)
    }
    told = {p.value: settings_of(base.recipe(p)) for p in POINTS}
    assert {(t["channels"], t["shaping"], t["centroids"]) for t in told.values()} == asked
    for value, t in told.items():  # a row is of the curve that its value names
        assert shaping.read([t | {"bytes_lzw": 1, "accuracy": 1}], "bytes_lzw")[0].curve == value.rpartition("-")[0]


def test_seeds_take_the_reference_network_along_unless_it_is_fixed() -> None:
    def seeds_of(overrides: dict[str, str], *, reference: bool) -> set[tuple[int, int]]:
        base = Base("cifar10", "compact", overrides, PLAN.budget)
        some = axes.seeded(POINTS[:1], [1, 2], reference=reference)
        return {(base.recipe(p).seed, base.recipe(p).reference.seed) for p in some}

    assert seeds_of({}, reference=True) == {(1, 1), (2, 2)}
    assert seeds_of({"reference.seed": "7"}, reference=False) == {(1, 7), (2, 7)}
    assert [p.told for p in axes.seeded(POINTS[:1], [3], reference=True)] == ["random-plain-2, seed 3"]


def test_seeds_are_whole_numbers() -> None:
    parser = trained_sweep_options.parser("shaping")
    assert parser.parse_args(["--seeds", "0,2"]).seeds == [0, 2]
    assert parser.parse_args([]).seeds == [0]
    with pytest.raises(BenchError, match="seeds"):
        parser.parse_args(["--seeds", "x"])


def test_rows_read_back_and_one_without_both_sizes_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))
    first = made({})[0]
    (tmp_path / "shaping-cifar10.csv").write_text(rows.text([first]))
    assert rows.find(first["recipe_hash"], [tmp_path], ("bytes_context",)) == first
    rows.keep(first | {"bytes_context": None})
    assert rows.find(first["recipe_hash"], [tmp_path], ("bytes_context",)) == first  # the cached one does not count
    (tmp_path / "shaping-cifar10.csv").unlink()
    assert rows.find(first["recipe_hash"], [tmp_path], ("bytes_context",)) is None


def test_costs_of_earlier_rows_are_read_under_their_new_names(tmp_path: Path) -> None:
    text = rows.text([made({})[0]]).replace("train_flop", "flop").replace("train_cpu_s", "cpu_s")
    (tmp_path / "old.csv").write_text(text)
    assert rows.read(tmp_path / "old.csv")[0]["train_flop"] == 2e13


def test_the_table_has_a_line_a_combination_with_the_spread_over_seeds() -> None:
    shown = training_tables.over_seeds(made({}, (0, 1), spread=0.02))
    assert len(shown) == 16
    by = {row["value"]: row for row in shown}
    assert by["chosen-plain-2"]["accuracy_sd"] == 0
    assert by["chosen-shaped-2"]["accuracy_sd"] == pytest.approx(0.02 / 2**0.5)
    header, lines = training_tables.table(shown, axes.AXES["shaping"].shown, {}, "")
    assert header == ["value", "accuracy %", "sd points", "seeds", "LZW B", "context B", "TFLOP", "CPU s"]
    assert lines[0] == ["random-plain-2", "83.0", "0.00", "2", "300", "240", "20.0", "600"]
    assert training_tables.over_seeds(made({}))[0]["accuracy_sd"] is None


@pytest.mark.slow
def test_the_figure_prefers_rows_that_were_trained_in_full(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "shaping-cifar10.csv").write_text(rows.text(made({})))
    short = gather([], rows=tmp_path)
    (tmp_path / "full" / "shaping-cifar10.csv").write_text(rows.text([r | {"epochs": 12} for r in made({}, (0, 1))]))
    both = gather([], rows=tmp_path)
    for material, told in ((short, "3 epochs of 12800"), (both, "12 epochs of 12800")):
        Shaping().draw(material, "cifar10", tmp_path / "figure")
        svg = (tmp_path / "figure.svg").read_text()
        assert told in svg
        assert all(name in svg for name in shaping.WORDS.values())
    with pytest.raises(Missing, match="shaping"):
        Shaping().draw(Material(), "cifar10", tmp_path / "none")
