"""A point of a training sweep on the synthetic set: figures, symbols, what is shared, what is found again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet
from baselines.recipes.loading import load_recipe
from baselines.recipes.recipe import AgileNNRecipe
from baselines.schemes.agilenn import warm
from baselines.schemes.agilenn.trial import Trials
from baselines.training.interface import Silent
from baselines.training.supervised import Samples
from harness.contracts.paths import cache_dir
from harness.training.sweep import afar, axes, points
from harness.training.sweep.axes import Setting
from harness.training.sweep.plan import Budget

pytestmark = pytest.mark.slow

OVERRIDES = {
    "batch": "16",
    "validation": "32",
    "reference.epochs": "1",
    "reference.batch": "16",
    "reference.validation": "32",
    "reference.widths": "[8]",
    "network.remote_widths": "[8]",
    "network.local_widths": "[4]",
    "importance.batch": "8",
    "preselect.samples": "32",
    "codebook.centroids": "4",
    "precision": "float32",
}
BUDGET = Budget(max_train=64, epochs=1, finish_epochs=1, warmup_epochs=0.3, attention_samples=20)
BASE = points.Base("cifar10", "compact", OVERRIDES, BUDGET)


class Phases(Silent):
    """Which phases were begun with something left to do."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def begin(self, title: str, epochs: int, steps: int, first_epoch: int) -> None:
        if first_epoch < epochs:
            self.titles.append(title)


def test_points_share_a_warm_start_and_are_trained_once(tmp_path: Path, tiny: DataSet) -> None:
    phases = Phases()
    trials = Trials(tiny, phases)
    first, trained = points.take(BASE, Setting("0.8", {"losses.rho": "0.8"}), "rho", trials, tiny.checksum, [tmp_path])
    assert trained
    assert phases.titles == ["reference network", "warm start of the extractor", "joint training", "local branch"]
    assert (first["n_validation"], first["n_test"], first["n_attention"], first["samples"]) == (32, 40, 20, 64)
    assert 0 <= first["accuracy"] <= 1
    assert 0 < first["skewness"] <= 1
    assert (
        first["payload_bytes_mean"] <= 16 + 16 * 16 * 19 / 4
    )  # the header, then 2 bits a symbol where LZW does not pay
    assert first["compression"] == pytest.approx(4 * 16 * 16 * 24 / first["payload_bytes_mean"], rel=1e-3)
    assert not list((cache_dir() / "training").glob("trial-*"))  # only the row and what is shared stay

    phases.titles.clear()
    other, trained = points.take(BASE, Setting("0.2", {"network.split": "0.3"}), "topk", trials, tiny.checksum, [])
    assert trained
    assert (phases.titles, other["k"]) == (["joint training", "local branch"], 7)
    phases.titles.clear()
    again, trained = points.take(BASE, Setting("best", {"losses.rho": "0.8"}), "ablation", trials, tiny.checksum, [])
    assert not trained
    assert phases.titles == []
    assert again == first | {"axis": "ablation", "value": "best"}


def test_a_point_of_the_shaping_sweep_has_its_bytes_by_both_codecs(tiny: DataSet) -> None:
    point = axes.seeded([axes.AXES["shaping"].setting("random-plain-2")], [3], reference=True)[0]
    row, trained = points.take(BASE, point, "shaping", Trials(tiny, Silent()), tiny.checksum, [])
    assert trained
    assert (row["channels"], row["shaping"], row["centroids"], row["seed"]) == ("random", "no", 2, 3)
    most = 16 + 16 * 16 * 19 / 8  # the header, then a bit a symbol where a codec does not pay
    assert 16 < row["bytes_context"] <= most
    assert row["bytes_lzw"] == row["payload_bytes_mean"] <= most
    assert row["train_flop"] > 0
    assert points.take(BASE, point, "shaping", Trials(tiny, Silent()), tiny.checksum, []) == (row, False)


def test_a_point_that_a_worker_trains_is_the_one_of_here(
    tmp_path: Path, tiny: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a thread, as workers do it, with a cache of its own, as on another machine."""
    setting = Setting("0.8", {"losses.rho": "0.8"})
    here, _ = points.take(BASE, setting, "rho", Trials(tiny, Silent()), tiny.checksum, [])
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setattr("baselines.data.load_dataset", lambda name: tiny)
    shared = afar.Trainings("run", BASE, "rho", tiny.checksum)
    with ThreadPoolExecutor(1) as worker:
        there = worker.submit(afar.trained, (setting, BASE.recipe(setting)), shared).result()
    wall = ("wall_s", "train_s", "train_cpu_s")
    assert {k: v for k, v in there.items() if k not in wall} == {k: v for k, v in here.items() if k not in wall}


def test_control_sends_what_is_not_quantised(tiny: DataSet) -> None:
    recipe = BASE.recipe(Setting("control", {}, "control"))
    trial = Trials(tiny, Silent()).run(recipe, attention_samples=10)
    assert trial.symbols is None
    assert trial.figures["accuracy"] == trial.figures["remote_accuracy"]
    assert "skewness" not in trial.figures


def recipe(**overrides: str) -> AgileNNRecipe:
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    return load_recipe(AgileNNRecipe, "agilenn", "cifar10", "compact", overrides=changes)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"losses__rho": "0.7"}, True),
        ({"network__split": "0.3"}, True),
        ({"codebook__centroids": "4"}, True),
        ({"importance__method": "ig"}, True),
        ({"epochs": "3"}, True),
        ({"network__stride": "4"}, False),
        ({"network__first_channels": "12"}, False),
        ({"seed": "1"}, False),
        ({"learning_rate": "0.01"}, False),
        ({"reference__epochs": "3"}, False),
    ],
)
def test_the_warm_extractor_is_shared_by_what_it_does_not_depend_on(
    tiny: DataSet, change: dict[str, Any], same: bool
) -> None:
    one, other = (warm.warm_folder(r, tiny, 100) for r in (recipe(), recipe(**change)))
    assert (one == other) is same


def test_random_channels_follow_the_seed() -> None:
    from baselines.schemes.agilenn.preselect import channel_order  # noqa: PLC0415

    channels = np.ones((4, 24), np.float32)
    first = channel_order(channels, 5, "random", 0)
    assert sorted(first.tolist()) == list(range(24))
    assert np.array_equal(first, channel_order(channels, 5, "random", 0))
    assert not np.array_equal(first[:5], channel_order(channels, 5, "random", 1)[:5])


class _Judge:
    """Channel 1 matters to pictures that are judged right, channel 2 to all others."""

    def __call__(self, features: Any, labels: Any) -> tuple[Any, Any]:
        from keras import ops  # noqa: PLC0415

        right = ops.cast(ops.convert_to_tensor(labels) < 1, "float32")[:, None]
        one = ops.one_hot(ops.ones((len(labels),), "int32"), 3) * right
        two = ops.one_hot(ops.ones((len(labels),), "int32") * 2, 3) * (1 - right)
        return (one + two)[:, None, None, :], ops.one_hot(ops.zeros((len(labels),), "int32"), 4)


@pytest.mark.parametrize(("correct_only", "first"), [(True, 1), (False, 2)])
def test_local_channels_are_chosen_on_pictures_that_count(
    tiny: DataSet, monkeypatch: pytest.MonkeyPatch, correct_only: bool, first: int
) -> None:
    """Three of four pictures are judged wrong: theirs is the choice only where they count."""
    monkeypatch.setattr(warm.ImportanceMeter, "of", lambda *_: _Judge())
    over = {**OVERRIDES, "importance.correct_only": str(correct_only).lower(), "network.split": "0.05"}
    recipe = load_recipe(AgileNNRecipe, "agilenn", "cifar10", "compact", overrides=over)
    chosen = warm._chosen(lambda x, training: x, None, Samples.by(recipe, tiny), recipe)
    assert chosen[0] == first
