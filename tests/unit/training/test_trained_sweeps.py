"""The training sweeps without training: axes and the paper's figures, rows, latency fit, fronts, codebook merging."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.commands.sweep import main
from harness.contracts.errors import BenchError
from harness.report import training_tables as show
from harness.runs import trained_rows as rows
from harness.runs.journal import Journal
from harness.runs.paths import REFERENCE
from harness.runs.sample import Point
from harness.runs.store import Store
from harness.training.sweep import axes, committed, latency, pareto
from harness.training.sweep import plan as plans
from harness.training.sweep.points import Base, settings_of

from ...support import runs

PLAN = plans.load()


def base(**overrides: str) -> Base:
    return Base("cifar10", "compact", {k.replace("__", "."): v for k, v in overrides.items()}, PLAN.budget)


@pytest.mark.parametrize("name", axes.AXES)
def test_every_planned_point_has_a_recipe_of_its_own(name: str) -> None:
    points = axes.settings(axes.AXES[name], PLAN, None)
    recipes = [base().recipe(point) for point in points]
    assert len({r.model_dump_json() for r in recipes}) == len(points)
    for recipe in recipes:
        assert (recipe.epochs, recipe.max_train) == (PLAN.budget.epochs, PLAN.budget.max_train)
        assert recipe.codec == "lzw"  # the paper's, whatever the recipe sends by


def test_pareto_candidates_are_recipes_and_the_first_is_the_published_configuration() -> None:
    candidates = axes.pareto(PLAN)
    first = base().recipe(candidates[0])
    assert candidates[0].value == pareto.PUBLISHED
    assert (first.network.k, first.network.local_widths, first.codebook.centroids) == (5, (), 8)
    assert {base().recipe(c).network.stride for c in candidates} == {2, 4}


@pytest.mark.parametrize(
    ("name", "value", "metric", "figure"),
    [
        ("rho", "0.8", "skewness", 77.6),
        ("rho", "0.9", "accuracy", 69.6),
        ("topk", "0.1", "accuracy", 70.31),
        ("lambda", "0.3", "accuracy", 73.4),
        ("temperature", "6", "alpha", 0.15),
        ("ordering", "relaxed", "violations", 2.1),
        ("xai", "saliency", "accuracy", 73.3),
    ],
)
def test_the_papers_figure_stands_beside_ours(name: str, value: str, metric: str, figure: float) -> None:
    found, dataset = axes.AXES[name].published("cifar100", [value])
    assert found[value, metric] == figure
    assert dataset == "cifar100"  # the paper has none of these for CIFAR-10
    header, lines = show.table([{"value": value, metric: 0.5}], (metric,), found, dataset)
    assert header[-1] == "paper (cifar100)"
    assert float(lines[0][-1]) == figure


def test_published_grid_of_svhn_is_its_own() -> None:
    found, dataset = axes.AXES["rho"].published("svhn", ["0.8"])
    assert (found["0.8", "accuracy"], dataset) == (96.47, "svhn")


def row(value: str, **more: Any) -> rows.Row:
    named = {"dataset": "cifar10", "profile": "compact", "axis": "rho", "value": value, "source": "measured"}
    return dict.fromkeys(rows.COLUMNS) | named | settings_of(base().recipe()) | {"recipe_hash": f"h{value}"} | more


def test_rows_read_back_as_written_and_a_new_one_replaces_an_old_one(tmp_path: Path) -> None:
    first = [row("0.7", accuracy=0.8, epochs=3), row("0.8", accuracy=0.7, payload_bytes_mean=812.25)]
    (tmp_path / "rho-cifar10.csv").write_text(rows.text(first))
    back = rows.read(tmp_path / "rho-cifar10.csv")
    assert back == first
    assert isinstance(back[0]["epochs"], int)
    newer = [row("0.8", accuracy=0.9, recipe_hash="of another recipe"), row("0.9", accuracy=0.1)]
    both = rows.merged(back, [*newer, row("0.7", accuracy=0.5, seed=1)])
    assert [(r["value"], r["seed"], r["accuracy"]) for r in both] == [
        ("0.7", 0, 0.8),
        ("0.8", 0, 0.9),
        ("0.9", 0, 0.1),
        ("0.7", 1, 0.5),
    ]


def test_a_finished_point_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))
    own = row("0.7", accuracy=0.8)
    assert rows.find("h0.7", [tmp_path]) is None
    (tmp_path / "any.csv").write_text(rows.text([own]))
    assert rows.find("h0.7", [tmp_path]) == own
    rows.keep(own | {"accuracy": 0.81})
    assert (rows.find("h0.7", [tmp_path]) or {})["accuracy"] == 0.81  # the cache is asked first
    (tmp_path / "cache" / "training" / "rows" / "h0.7.json").write_text("{")
    assert rows.find("h0.7", [tmp_path]) == own


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200))
def test_any_text_is_rows_or_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes((",".join(rows.COLUMNS[:5]) + "\n" + text).encode("utf-8", "surrogatepass"))
    try:
        rows.read(path)
    except BenchError as e:
        assert "\n" not in str(e)


def run_folder(folder: Path, *, rates: tuple[float, ...] = (270e3, 2e6, 6e6), began: str = "2026-01-01") -> Path:
    """A bandwidth run whose waiting times follow the law that is fitted."""
    store = Store.create(folder)
    axis = {"name": "bandwidth", "column": "rate_bps", "values": list(rates)}
    dataset = runs.manifest()["dataset"] | {"name": "cifar10"}
    store.write_manifest(runs.manifest(axis=axis, dataset=dataset, began_at=began))
    with closing(Journal(folder)) as journal:
        for rate in rates:
            for scheme, payload in (("agilenn", 900), ("agilenn", 950), ("full_offload", 3088), ("local_only", 0)):
                network = 4 + 0.002 * payload + (1500 + 8 * payload) * 1e3 / rate if payload else 0.0
                times = {"local_ms": 2.0, "encode_ms": 0.5, "network_ms": network, "remote_ms": 1.0, "combine_ms": 0.01}
                point = Point(scheme, "cifar10", "compact", "virtual", rate)
                taken = runs.measured(image=payload, point=point, **times) | {"payload_bytes": payload}
                journal.append(runs.planned(image=payload, point=point).key, taken)
        failed = runs.measured(image=0, point=point) | {"status": "failed", "network_ms": None}
        journal.append(runs.planned(image=1, point=point).key, failed)
    return folder


def test_latency_is_fitted_to_a_run_and_scales(tmp_path: Path) -> None:
    run_folder(tmp_path / "old", began="2025-01-01")
    folder = latency.newest(tmp_path, "cifar10") if run_folder(tmp_path / "new") else tmp_path
    assert folder.name == "new"
    fitted = latency.fit(folder)
    assert fitted.worst < 1e-6
    assert fitted.network_ms(500, 1e6) == pytest.approx(4 + 1 + 1.5 + 4)
    always = fitted.totals(900)
    assert always["total_6m_ms"] == pytest.approx(2.0 + 0.01 + 0.5 + 1.0 + fitted.network_ms(900, 6e6), abs=1e-3)
    assert set(fitted.totals(900, sent=0.0).values()) == {2.01}  # nothing is sent: the rate does not matter
    half = fitted.totals(900, sent=0.5)["total_270k_ms"]
    assert half == pytest.approx((always["total_270k_ms"] + 2.01) / 2, abs=1e-3)


def test_a_slim_run_is_fitted_by_its_parquet(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("manifest.json", "samples.parquet"):
        shutil.copy(REFERENCE / "runs" / "cifar10-bandwidth" / name, run / name)
    fitted = latency.fit(run)
    assert fitted.samples > 500
    assert fitted.worst < 0.05


def test_runs_that_latency_can_not_be_fitted_to_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no bandwidth run"):
        latency.newest(tmp_path, "cifar10")
    with pytest.raises(BenchError, match="too few"):
        latency.fit(run_folder(tmp_path / "one", rates=(6e6,)))
    (tmp_path / "one" / "manifest.json").write_text("{}")
    with pytest.raises(BenchError, match="manifest"):
        latency.fit(tmp_path / "one")


def test_the_front_is_what_nothing_beats() -> None:
    found = [
        {"value": "slow and good", "validation_accuracy": 0.8, "t": 10.0},
        {"value": "fast and bad", "validation_accuracy": 0.6, "t": 5.0},
        {"value": "beaten", "validation_accuracy": 0.59, "t": 6.0},
        {"value": "middle", "validation_accuracy": 0.7, "t": 7.0},
        {"value": "as good but slower", "validation_accuracy": 0.7, "t": 7.5},
    ]
    assert pareto.front(found, "t") == ["slow and good", "fast and bad", "middle"]


def test_neighbouring_centroids_are_merged_by_what_is_sent() -> None:
    centroids = np.array([0.0, 0.1, 2.0, 2.1, 5.0])
    groups, values = committed.merge(centroids, np.array([10.0, 10, 5, 15, 1]), 3)
    assert groups.tolist() == [0, 0, 1, 1, 2]
    assert values == pytest.approx([0.05, 2.075, 5.0])
    groups, values = committed.merge(centroids, np.array([0.0, 0, 0, 0, 0]), 5)
    assert groups.tolist() == [0, 1, 2, 3, 4]
    assert values == pytest.approx(centroids)


def halves(local: list[list[float]], remote: list[list[float]], labels: list[int]) -> committed.Halves:
    n = len(labels)
    return committed.Halves(
        np.array(local, np.float32),
        np.array(remote, np.float32),
        np.zeros((n, 4), np.uint8),
        np.arange(100, 100 + n, dtype=np.uint32),
        np.array(labels, np.uint8),
    )


def test_an_early_exit_answers_locally_and_sends_the_rest() -> None:
    own = halves([[9, 0], [0.1, 0], [0, 9], [0, 0.2]], [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 1, 1, 0])
    sent, right, payload = committed._exit(own, 0.9, 0.0)
    assert (sent, right) == (0.5, 1.0)  # the sure ones are right locally, the others remotely
    assert payload == 102.0  # of pictures 1 and 3
    assert committed._exit(own, 2.0, 0.0)[:2] == (1.0, 0.5)
    assert committed._exit(own, 0.0, 0.0) == (0.0, 0.5, 0.0)


@pytest.mark.slow
def test_plot_against_latency_marks_one_row(tmp_path: Path) -> None:
    totals = {name: 10.0 for name in latency.RATES}
    found = [
        {"value": v, "accuracy": a, "validation_accuracy": a, **totals} for v, a in (("a", 0.7), ("published", 0.6))
    ]
    for joined in (True, False):
        png, _, svg = show.against_latency(
            found, marked="published", label="published", joined=joined, note="note", out=tmp_path / "plot"
        )
        assert png.read_bytes().startswith(b"\x89PNG")
        assert "published" in svg.read_text() or svg.stat().st_size > 1000


@pytest.mark.parametrize(
    "argv",
    [
        ["rho", "--values", "x"],
        ["rho", "--values", "7"],
        ["ordering", "--values", "sideways"],
        ["lambda", "--set", "losses.nope=1"],
        ["lambda", "--dataset", "mnist"],
        ["xai", "--plan", "/no/such/plan.toml"],
        ["xai", "--profile", "huge"],
        ["alpha", "--profile", "huge"],
        ["exit", "--run", "/no/such/run"],
        ["pareto", "--cycles", "0"],
        ["sideways"],
    ],
)
def test_bad_input_is_one_line(argv: list[str]) -> None:
    with pytest.raises(BenchError) as error:
        main(argv)
    assert "\n" not in str(error.value)


def test_a_wrong_plan_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        "[budget]\nmax_train = 1\nepochs = 0\nfinish_epochs = 0\nwarmup_epochs = 0\nattention_samples = 1\n"
    )
    with pytest.raises(BenchError, match="epochs"):
        plans.load(path)


@pytest.mark.slow
def test_plot_of_numbers_and_of_names_is_the_same_every_time(tmp_path: Path) -> None:
    for name, values in (("a", ("0.7", "0.8")), ("b", ("original", "relaxed"))):
        data = [{"value": v, "accuracy": 0.5, "skewness": 0.7} for v in values]
        published = {(values[0], "accuracy"): 73.0}
        first = [
            [path.read_bytes() for path in show.plot(
                data, ("accuracy", "skewness"), published, axis_title="x", note="note", out=tmp_path / name
            )]
            for _ in range(2)
        ]  # fmt: skip
        assert first[0] == first[1]
        assert first[0][0].startswith(b"\x89PNG")
