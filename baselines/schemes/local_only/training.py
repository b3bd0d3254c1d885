"""Fits the local-only network of a recipe, for good or for a moment of a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from baselines.data import DataSet
from baselines.networks.blocks import precision
from baselines.networks.device import small_model
from baselines.networks.folding import assign, fold
from baselines.networks.stages import parse_stage
from baselines.recipes.recipe import LocalOnlyRecipe
from baselines.training import backend
from baselines.training.going_on import start_device
from baselines.training.interface import Report
from baselines.training.loop import Run, train
from baselines.training.reference import obtain
from baselines.training.supervised import Samples, SupervisedJob, logits_of, picture_shape


class Fitted(NamedTuple):
    """Holds a trained network with batch normalisation folded away, and what its training left."""

    model: Any
    samples: Samples
    figures: dict[str, Any]
    validation_float: dict[str, float]
    history: Path


def network(recipe: LocalOnlyRecipe, data: DataSet, *, folded: bool) -> Any:
    """Build the recipe's network for the pictures and classes of `data`, weights at their initial values."""
    return small_model(
        picture_shape(recipe, data),
        data.classes,
        stem=recipe.stem,
        stem_stride=recipe.stem_stride,
        stages=tuple(map(parse_stage, recipe.stages)),
        folded=folded,
    )


class Teacher:
    """Obtains the reference network when first asked for it, and keeps its logits for the next training."""

    def __init__(self) -> None:
        self._model: Any = None
        self._logits: npt.NDArray[np.float32] | None = None

    def model(self, recipe: LocalOnlyRecipe, data: DataSet, report: Report, *, resume: bool) -> Any:
        """Return the frozen network: pictures in 0..1 -> logits."""
        if self._model is None:
            self._model = obtain(recipe.reference, data, report, resume=resume).model
        return self._model

    def logits(
        self, recipe: LocalOnlyRecipe, data: DataSet, samples: Samples, report: Report, *, resume: bool
    ) -> npt.NDArray[np.float32]:
        """Return float32 logits [samples, classes] of the training pictures as they are."""
        if self._logits is None or len(self._logits) < len(samples):
            model = self.model(recipe, data, report, resume=resume)
            report.message(f"the reference network looks at {len(samples):,} pictures")
            self._logits = logits_of(model, samples)
        return self._logits[: len(samples)]


def fit(
    recipe: LocalOnlyRecipe,
    data: DataSet,
    work: Path,
    report: Report,
    *,
    title: str,
    resume: bool,
    teacher: Teacher | None = None,
) -> Fitted:
    """Train the network of `recipe`; checkpoints and log lie in `work`.

    Raises:
        BenchError: `training.loop.train` or `reference.obtain` raises it.
    """
    teacher = teacher or Teacher()
    distil = recipe.distillation
    backend.set_seed(recipe.seed)
    samples = Samples.by(recipe, data)
    guide: dict[str, Any] = {}
    if distil.weight > 0 and recipe.epochs > 0:
        if distil.once:
            guide = {"teacher_logits": teacher.logits(recipe, data, samples, report, resume=resume)}
        else:
            guide = {"teacher": teacher.model(recipe, data, report, resume=resume)}
    backend.set_seed(recipe.seed)  # the same start whether the reference network had to be made or not
    with precision(recipe.precision):
        model = network(recipe, data, folded=False)
    if recipe.go_on_from:
        start_device(model, network(recipe, data, folded=True), recipe, data, samples, report)
    job = SupervisedJob(
        model,
        samples,
        recipe=recipe,
        distil=distil.weight,
        distil_temperature=distil.temperature,
        **guide,
    )
    run = Run.by(recipe, title=title, folder=work, samples=len(samples))
    figures = train(job, run, report, resume=resume)
    folded = network(recipe, data, folded=True)
    assign(folded, fold(model))
    return Fitted(folded, samples, figures, job.evaluate(), work / run.log_name)
