"""Trains the reference network on for pictures that come as JPEG of mixed quality.

The reference network learnt on pictures as they are. Behind JPEG it meets others, and a fair rival gets some
hundred steps on those.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from baselines.data import DataSet
from baselines.export.pictures import through_jpeg
from baselines.networks.folding import fold
from baselines.networks.store import save_network
from baselines.recipes.files import marks
from baselines.recipes.hashing import recipe_hash
from baselines.recipes.recipe import Adaptation, ReferenceRecipe
from baselines.training import backend
from baselines.training.interface import Report
from baselines.training.loop import Run, train
from baselines.training.reference import Reference
from baselines.training.supervised import Samples, SupervisedJob, logits_of
from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir
from harness.contracts.reading import json_of


class Adapted(NamedTuple):
    """Holds a network file and the figures of its training; `val_accuracy` is behind JPEG of the quality in use."""

    path: Path
    figures: dict[str, Any]
    history: Path


class JpegSamples(Samples):
    """Gives training pictures at one of several qualities each time, and validation pictures at the one in use."""

    def __init__(self, recipe: ReferenceRecipe, data: DataSet, adapt: Adaptation, *, quality: int, chroma: str) -> None:
        usual = Samples.by(recipe, data)
        vars(self).update(vars(usual))
        kept = [self._native] if adapt.clean else []
        self._versions = np.stack(kept + [through_jpeg(self._native, q, chroma) for q in adapt.qualities])
        self.x_validation = through_jpeg(self.x_validation, quality, chroma)

    def at(self, indices: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        """Return pictures and labels; qualities follow from the batch alone, so a resumed training has the same."""
        which = (np.arange(len(indices)) + int(indices[0])) % len(self._versions)
        return self._versions[which, indices], self.y[indices].astype(np.int32)


def check_adapt(adapt: Adaptation, recipe: ReferenceRecipe, data: DataSet) -> None:
    """Check, before anything is trained, that pictures are sent at their own size where the server adapts to JPEG.

    Raises:
        BenchError: they are scaled first. Training pictures would meet JPEG before that, those on the link after it.
    """
    size = recipe.input_size
    if adapt.epochs and size and data.x_train.shape[1:3] != (size, size):
        height, width = data.x_train.shape[1:3]
        raise BenchError(
            f"adapt.epochs is for pictures that are sent at their own size: those of {data.name} are {height}x{width}, "
            f"and input_size is {size}",
            cure="--set adapt.epochs=0, or a profile of their size",
        )


def obtain_adapted(
    reference: Reference,
    recipe: ReferenceRecipe,
    adapt: Adaptation,
    data: DataSet,
    report: Report,
    *,
    quality: int,
    chroma: str,
    resume: bool,
) -> Adapted:
    """Get the reference network trained on for JPEG of `quality` and `chroma`: from the cache, or trained now.

    Raises:
        BenchError: `training.loop.train` raises it.
    """
    more = {"data": data.checksum, "jpeg": f"{quality} {chroma}", "network": recipe_hash(recipe)}
    more |= marks(recipe, data.name)
    folder = cache_dir() / "training" / f"adapted-{recipe_hash(adapt, **more)}"
    path, figures_path = folder / "server.npz", folder / "figures.json"
    if not path.exists():
        figures = _train(reference, recipe, adapt, data, folder, report, quality=quality, chroma=chroma, resume=resume)
        figures_path.write_text(json.dumps(figures), encoding="utf-8")
    figures = json_of(figures_path, f"remove {folder}: it is trained anew")
    return Adapted(path, figures, folder / "history.csv")


def _train(
    reference: Reference,
    recipe: ReferenceRecipe,
    adapt: Adaptation,
    data: DataSet,
    folder: Path,
    report: Report,
    *,
    quality: int,
    chroma: str,
    resume: bool,
) -> dict[str, Any]:
    backend.set_seed(recipe.seed)
    own = recipe.model_copy(
        update={
            "epochs": adapt.epochs,
            "learning_rate": adapt.learning_rate,
            "weight_decay": adapt.weight_decay,
            "optimiser": "adam",
            "warmup_epochs": min(recipe.warmup_epochs, adapt.epochs / 4),
            "average": 0.0,
        }
    )
    samples = JpegSamples(own, data, adapt, quality=quality, chroma=chroma)
    model = reference.spec.build(folded=True)
    model.set_weights(reference.model.get_weights())
    logits = logits_of(reference.model, samples) if adapt.distillation.weight else None
    job = SupervisedJob(
        model,
        samples,
        recipe=own,
        teacher_logits=logits,
        distil=adapt.distillation.weight,
        distil_temperature=adapt.distillation.temperature,
    )
    before = job.evaluate()["val_accuracy"]
    run = Run.by(own, title="server network for JPEG", folder=folder, samples=len(samples))
    figures = train(job, run, report, resume=resume)
    after = figures["val_accuracy"]
    report.message(f"behind JPEG {quality}: validation {100 * before:.1f} % as it was, {100 * after:.1f} % adapted")
    save_network(folder / "server.npz", reference.spec, fold(model))
    return figures | {"val_accuracy_before": before}
