"""Runs one point of a training sweep: a short joint training from the shared warm start, and what came of it.

Nothing is exported: the figures are those of the float networks with the hard quantiser, and the symbols are what the
float device half would send.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baselines.data import DataSet
from baselines.export import context_tables
from baselines.export.artefact import work_folder
from baselines.export.evaluation import combine
from baselines.recipes.recipe import AgileNNRecipe
from baselines.schemes.agilenn.joint import JointJob
from baselines.schemes.agilenn.training import check, choose_alpha, prepare, run_phases
from baselines.training.interface import Report
from baselines.training.reference import Reference, obtain
from baselines.training.supervised import Samples, accuracy


@dataclass(frozen=True)
class Trial:
    """Holds what a short training gave.

    `figures` are shares in 0..1, alpha, epochs, samples and seconds, by name.

    `symbols` are uint8 [n_test, h * w * channels] of the sent channels over the test set, or None where nothing is
    quantised. `training_symbols` are those of the first training pictures, from which a codec's tables are learnt;
    `map_shape` is height, width and channels of what is sent.
    """

    figures: dict[str, float]
    symbols: npt.NDArray[np.uint8] | None
    training_symbols: npt.NDArray[np.uint8] | None = None
    map_shape: tuple[int, int, int] = (0, 0, 0)


class Trials:
    """Runs short trainings on one data set; the reference network is loaded once."""

    def __init__(self, data: DataSet, report: Report) -> None:
        self._data = data
        self._report = report
        self._references: dict[str, Reference] = {}
        self._whole: tuple[tuple[int, int], Samples] | None = None  # all training pictures, kept: they are large

    def run(self, recipe: AgileNNRecipe, *, attention_samples: int) -> Trial:
        """Train by `recipe` (its `epochs` and `max_train` are the budget), and measure on validation and test.

        An interrupted training goes on after its last whole epoch; a finished one leaves nothing in the cache but what
        it shared (reference network, warm extractor).

        Args:
            attention_samples: test pictures whose importance is measured, for skewness and violations.

        Raises:
            BenchError: the settings do not go together, or a training failed.
        """
        check(recipe, deployable=False)
        data, started = self._data, time.monotonic()
        work = work_folder("trial", recipe, data)
        reference = self._reference(recipe)
        samples = Samples.by(recipe, data)
        # The warm extractor is shared: it sees all pictures, whatever the budget of a point.
        job = prepare(recipe, data, reference, samples, self._report, warm_on=self._all(recipe))
        trained = run_phases(job, recipe, samples, work, self._report, title="joint training", resume=True)
        figures = self._measured(job, recipe, samples, attention_samples)
        figures |= {"epochs": float(recipe.epochs), "samples": float(len(samples))}
        figures |= {"train_s": trained["wall_s"], "wall_s": round(time.monotonic() - started, 1)}
        figures |= {f"train_{name}": trained[name] for name in ("flop", "cpu_s") if name in trained}
        sent = _sent(job, samples, samples.as_taken(data.x_test)) if recipe.codebook.quantise else {"symbols": None}
        shutil.rmtree(work, ignore_errors=True)
        return Trial(figures, **sent)

    def _reference(self, recipe: AgileNNRecipe) -> Reference:
        key = recipe.reference.model_dump_json()
        if key not in self._references:
            self._references[key] = obtain(recipe.reference, self._data, self._report, resume=True)
        return self._references[key]

    def _all(self, recipe: AgileNNRecipe) -> Samples:
        key = (recipe.validation, recipe.input_size)
        if self._whole is None or self._whole[0] != key:
            self._whole = key, Samples.by(recipe, self._data, whole=True)
        return self._whole[1]

    def _measured(
        self, job: JointJob, recipe: AgileNNRecipe, samples: Samples, attention_samples: int
    ) -> dict[str, float]:
        data = self._data
        alpha = choose_alpha(job, recipe, samples)
        x_test, y_test = samples.as_taken(data.x_test), data.y_test
        local, remote = job.logits(samples.x_validation)
        figures = {
            "alpha": round(alpha.used, 4),
            "n_validation": float(len(samples.y_validation)),
            "n_test": float(len(y_test)),
            "validation_accuracy": accuracy(combine(local, remote, alpha.used), samples.y_validation),
        }
        local, remote = job.logits(x_test)
        figures["accuracy"] = accuracy(combine(local, remote, alpha.used), y_test)
        figures["remote_accuracy"] = accuracy(remote, y_test)
        if recipe.network.k:
            figures["local_accuracy"] = accuracy(local, y_test)
            some = slice(attention_samples)
            figures |= job.attention(x_test[some], y_test[some])
            figures["n_attention"] = float(len(y_test[some]))
        return {name: round(value, 5) for name, value in figures.items()}


def _sent(job: JointJob, samples: Samples, pictures: npt.NDArray[np.uint8]) -> dict[str, Any]:
    symbols = job.symbols(pictures)
    learnt_from = job.symbols(samples.first(context_tables.PICTURES))
    _, height, width, channels = symbols.shape
    flat = [one.reshape(len(one), -1) for one in (symbols, learnt_from)]
    return {"symbols": flat[0], "training_symbols": flat[1], "map_shape": (height, width, channels)}
