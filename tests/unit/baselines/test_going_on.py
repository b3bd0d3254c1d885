"""Rivals go on from their exported weights: what is trained on begins as what was exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet
from baselines.recipes import loading
from baselines.recipes.recipe import LocalOnlyRecipe
from baselines.schemes.deepcod import DeepCOD
from baselines.schemes.deepcod.training import DeepCODJob
from baselines.schemes.hierarchical import Hierarchical
from baselines.schemes.local_only import LocalOnly
from baselines.schemes.partition import Partition
from baselines.training.interface import Silent
from baselines.training.supervised import SupervisedJob
from harness.contracts.errors import BenchError
from harness.training.options import TrainOptions

COMMON = {
    "batch": "16",
    "validation": "32",
    "precision": "float32",
    "reference.epochs": "1",
    "reference.batch": "16",
    "reference.validation": "32",
    "reference.widths": "[8, 8]",
    "reference.precision": "float32",
}
SCHEMES: dict[str, tuple[Any, dict[str, str]]] = {
    "deepcod": (DeepCOD, {"channels": "4", "decoder": "[4, 4]", "classifier": "trained"}),
    "hierarchical": (
        Hierarchical,
        {"blocks": '["conv8/2", "fused8/2x2"]', "distillation.weight": "0.5", "distillation.once": "true"},
    ),
    "local_only": (LocalOnly, {"stem": "4", "stages": '["conv 4", "inverted 8 s2"]', "distillation.weight": "0"}),
    "partition": (
        Partition,
        {
            "blocks": '["conv24/2", "ir8x2", "wide8", "res", "wide8/2", "res"]',
            "splits": "[1, 2]",
            "split": "2",
            "exit_widths": "[8]",
        },
    ),
}


class First(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(autouse=True)
def _small_calibration(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("partition", "deepcod", "hierarchical"):
        monkeypatch.setattr(f"baselines.schemes.{name}.training.CALIBRATION_PICTURES", 16)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_the_first_step_sees_the_exported_networks(
    tmp_path: Path, tiny: DataSet, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme, own = SCHEMES[name]
    over = COMMON | own
    before = scheme().train(TrainOptions("cifar10", epochs=2, out=tmp_path / "before", overrides=over), Silent())
    seen: list[dict[str, float]] = []
    for job in (SupervisedJob, DeepCODJob, scheme_job(name)):
        plain = job.step

        def step(self: Any, *arguments: Any, plain: Any = plain) -> Any:
            if not seen:
                seen.append(self.evaluate())
            return plain(self, *arguments)

        monkeypatch.setattr(job, "step", step)
    report = First()
    options = TrainOptions("cifar10", epochs=1, out=tmp_path / "after", overrides=over | {"go_on_from": str(before)})
    after = scheme().train(options, report)
    assert any("going on from the weights in" in text for text in report.said)
    history = (before / "history.csv").read_text().splitlines()
    rows = [dict(zip(history[0].split(","), line.split(","), strict=True)) for line in history[1:]]
    best = max(float(row["val_accuracy"]) for row in rows)
    assert seen[0]["val_accuracy"] == pytest.approx(best, abs=2 / 32)  # int8 and float16 may turn a picture or two
    assert (after / "summary.toml").exists()


def scheme_job(name: str) -> Any:
    from baselines.schemes.partition.training import PartitionJob  # noqa: PLC0415

    return PartitionJob if name == "partition" else SupervisedJob


def test_other_pictures_or_no_weights_are_refused(tmp_path: Path, tiny: DataSet) -> None:
    over = COMMON | SCHEMES["local_only"][1] | {"go_on_from": str(tmp_path / "nothing")}
    with pytest.raises(BenchError, match="no trained weights"):
        LocalOnly().train(TrainOptions("cifar10", epochs=1, out=tmp_path / "x", overrides=over), Silent())


@pytest.mark.slow
def test_a_start_makes_another_training_of_a_recipe() -> None:
    plain, other = (
        loading.load_recipe(LocalOnlyRecipe, "local_only", "cifar10", "compact", overrides=more)
        for more in ({}, {"go_on_from": "x"})
    )
    from baselines.recipes.hashing import recipe_hash  # noqa: PLC0415

    assert recipe_hash(plain) != recipe_hash(other)
    assert np.isfinite(plain.learning_rate)
