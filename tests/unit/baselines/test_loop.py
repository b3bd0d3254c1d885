"""The training loop with a job that only counts: schedule, resume, NaN, history."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from baselines.training import loop
from baselines.training.interface import Silent
from harness.contracts.errors import BenchError

pytestmark = pytest.mark.slow


class Cell:
    """A variable."""

    def __init__(self, value: np.ndarray) -> None:
        self.value = value

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def assign(self, value: np.ndarray) -> None:
        self.value = np.array(value)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.value, dtype=dtype)


class Counting(loop.Job):
    """Mixes everything a step sees into its variable; may fail at a step, is best at epoch `best`."""

    def __init__(self, *, nan_at: int = -1, stop_at: int = -1, best: int = 10) -> None:
        self.cell = Cell(np.zeros(3))
        self.steps = 0
        self._nan_at, self._stop_at, self._best = nan_at, stop_at, best
        self.epochs = Cell(np.zeros(()))

    def step(self, indices: Any, seed: Any, learning_rate: float) -> dict[str, Any]:
        if self.steps == self._stop_at:
            raise KeyboardInterrupt
        self.steps += 1
        self.cell.value = np.sin(self.cell.value * 3 + [indices @ np.arange(len(indices)), seed[1], learning_rate])
        return {"loss": float("nan") if self.steps == self._nan_at else 1.0}

    def evaluate(self) -> dict[str, float]:
        self.epochs.value = self.epochs.value + 1
        return {"val_accuracy": -abs(float(self.epochs.value) - self._best)}

    def variables(self) -> list[Any]:
        return [self.cell, self.epochs]


def run(folder: Path, **changes: Any) -> loop.Run:
    settings = {"samples": 40, "batch": 8, "epochs": 4, "seed": 1, "learning_rate": 0.1} | changes
    return loop.Run(title="counting", folder=folder, **settings)


def test_interrupted_training_resumes_to_equal_weights(tmp_path: Path) -> None:
    whole = Counting()
    loop.train(whole, run(tmp_path / "whole"), Silent(), resume=False)
    cut = Counting(stop_at=13)
    with pytest.raises(KeyboardInterrupt):
        loop.train(cut, run(tmp_path / "cut"), Silent(), resume=False)
    resumed = Counting()
    loop.train(resumed, run(tmp_path / "cut"), Silent(), resume=True)
    assert resumed.steps == 10  # two whole epochs were kept
    assert np.array_equal(resumed.cell.value, whole.cell.value)


def test_best_epoch_on_validation_is_what_remains(tmp_path: Path) -> None:
    job = Counting(best=2)
    figures = loop.train(job, run(tmp_path), Silent(), resume=False)
    assert figures["epoch"] == 2
    assert float(job.epochs.value) == 2


def test_early_stop_when_validation_gets_no_better(tmp_path: Path) -> None:
    job = Counting(best=2)
    figures = loop.train(job, run(tmp_path, epochs=9, patience=2), Silent(), resume=False)
    assert figures["epoch"] == 2
    assert job.steps == 4 * 5  # two epochs that got better and two that did not
    again = Counting(best=2)
    loop.train(again, run(tmp_path, epochs=9, patience=2), Silent(), resume=True)
    assert again.steps == 0  # resumed: it is still over
    assert float(again.epochs.value) == 2


def test_nan_stops_with_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no longer finite in epoch 3.*checkpoint\.npz") as error:
        loop.train(Counting(nan_at=12), run(tmp_path), Silent(), resume=False)
    assert "\n" not in str(error.value)
    kept = Counting()
    loop.train(kept, run(tmp_path), Silent(), resume=True)
    assert kept.steps == 10


def test_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    loop.train(Counting(), run(tmp_path), Silent(), resume=False)
    with pytest.raises(BenchError, match="another recipe"):
        loop.train(Counting(), run(tmp_path, seed=2), Silent(), resume=True)


def test_damaged_checkpoint_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(BenchError, match="damaged"):
        loop.train(Counting(), run(tmp_path), Silent(), resume=True)


def test_history_has_a_row_an_epoch(tmp_path: Path) -> None:
    loop.train(Counting(), run(tmp_path), Silent(), resume=False)
    with (tmp_path / "history.csv").open() as f:
        rows = list(csv.DictReader(f))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert float(rows[0]["loss"]) == 1.0


def test_too_large_a_batch_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="batch of 100"):
        loop.train(Counting(), run(tmp_path, batch=100), Silent(), resume=False)


def test_schedule_warms_up_and_falls_to_nearly_zero() -> None:
    schedule = loop.Schedule(epochs=10, steps_per_epoch=10, peak=0.2, warmup_epochs=1)
    rates = [schedule(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.02)
    assert max(rates) == pytest.approx(0.2, rel=1e-3)
    assert rates.index(max(rates)) in (9, 10)
    assert 0 < rates[-1] < 0.001
    assert rates[10:] == sorted(rates[10:], reverse=True)
