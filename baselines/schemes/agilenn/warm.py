"""Prepares what joint training starts from: a warm extractor, the choice of local channels, a first codebook.

The warm extractor is trained once per network, data set and seed, kept in the cache like the reference network, and
shared by every training that differs in later settings only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from baselines.data import DataSet
from baselines.networks.folding import assign, for_last_channels, unfold
from baselines.recipes.hashing import recipe_hash
from baselines.recipes.recipe import AgileNNRecipe
from baselines.schemes.agilenn import codebook
from baselines.schemes.agilenn.importance import ImportanceMeter, channel_importance
from baselines.schemes.agilenn.jobs import WarmJob
from baselines.schemes.agilenn.networks import reorder
from baselines.schemes.agilenn.preselect import channel_order
from baselines.training import backend
from baselines.training.alone import alone
from baselines.training.augment import to_unit
from baselines.training.interface import Report
from baselines.training.loop import Run, in_batches, train
from baselines.training.reference import Reference
from baselines.training.supervised import Samples, hits
from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.files import replacing
from harness.contracts.paths import cache_dir

START_SAMPLES = 512  # training pictures that the remote network's first statistics are taken on
CODEBOOK_SAMPLES = 512


def warm_folder(recipe: AgileNNRecipe, data: DataSet, samples: int) -> Path:
    """Return the cache folder of the extractor warmed on `samples` pictures.

    It is named by the settings that the extractor depends on.
    """
    n = recipe.network
    own = recipe.model_copy(
        update={
            "epochs": 0,
            "max_train": samples,
            "finish_epochs": 0,
            "finish_learning_rate": 0.0,
            "exit_loss": 0.0,
            "rate": type(recipe.rate)(),
            "patience": 0,
            "temperature": 1.0,
            "alpha": "learned",
            "codec": "stored",
            "network": type(n)(
                channels=n.channels, stride=n.stride, first=n.first, first_channels=n.first_channels, split=0.5
            ),
            "importance": type(recipe.importance)(),
            "losses": type(recipe.losses)(),
            "codebook": type(recipe.codebook)(),
            "preselect": type(recipe.preselect)(warm_epochs=recipe.preselect.warm_epochs),
            "distillation": type(recipe.distillation)(temperature=recipe.distillation.temperature),
        }
    )
    return cache_dir() / "training" / f"warm-{recipe_hash(own, data=data.checksum)}"


def warm_extractor(
    device: Any, body: Any, reference: Reference, samples: Samples, recipe: AgileNNRecipe, folder: Path, report: Report
) -> Any:
    """Teach the extractor to feed the reference network, or take it from the cache; return it as a model.

    With `preselect.warm_epochs` = 0 it stays untrained.
    """
    extractor = keras.Model(device.input, device.get_layer("extract_mix_relu").output)
    if not recipe.preselect.warm_epochs:
        return extractor
    run = Run.by(
        recipe,
        title="warm start of the extractor",
        folder=folder,
        samples=len(samples),
        epochs=recipe.preselect.warm_epochs,
        patience=0,
        log_name="warm.csv",
        checkpoint_name="warm.npz",
    )
    with alone(folder):  # a point of the same sweep that is trained by another process waits, and finds it
        train(WarmJob(extractor, body, reference.model, samples, recipe), run, report, resume=True)
    return extractor


def arrange(
    device: Any,
    extractor: Any,
    body: Any,
    samples: Samples,
    recipe: AgileNNRecipe,
    report: Report,
    *,
    keep: Path | None = None,
    resume: bool = False,
) -> codebook.Floats:
    """Put the chosen channels first and return the centroids to start from.

    `keep` is a file for the order of the channels. A resumed training takes the order from it, as it may go on with
    another backend, whose last bits could choose otherwise.
    """
    k = recipe.network.k
    if k:
        order = _kept(keep, recipe.network.channels) if keep is not None and resume and keep.exists() else None
        if order is None:
            order = _chosen(extractor, body, samples, recipe)
            if keep is not None:
                with replacing(keep, "AGILENN_CACHE_DIR") as f:
                    f.write(json.dumps(order.tolist()).encode())
        reorder(device, body, order)
        report.message(f"local channels: {', '.join(str(c) for c in order[:k])} of the warm extractor")
    if recipe.codebook.start == "random":
        return codebook.drawn(recipe.codebook.centroids, recipe.seed, recipe.codebook.deviation)
    forward = backend.compiled(lambda pictures: extractor(to_unit(pictures), training=False))
    features = in_batches(forward, samples.first(CODEBOOK_SAMPLES))
    return codebook.fit(features[..., k:], recipe.codebook.centroids)


def _chosen(extractor: Any, body: Any, samples: Samples, recipe: AgileNNRecipe) -> npt.NDArray[np.int64]:
    """Return the order of the extractor's channels, the local ones first."""
    count, settings = recipe.network.k, recipe.preselect
    x, y = samples.first(settings.samples), samples.y[: settings.samples].astype(np.int32)
    meter = ImportanceMeter.of(body, recipe.importance)

    def measure(pictures: Any, labels: Any) -> Any:
        importance, judged = meter(extractor(to_unit(pictures), training=False), labels)
        return ops.concatenate([channel_importance(importance), hits(judged, labels)[:, None]], axis=1)

    measured = in_batches(backend.compiled(measure), x, y, batch=256)
    channels, right = measured[:, :-1], measured[:, -1] > 0
    if recipe.importance.correct_only and right.any():
        channels = channels[right]
    return channel_order(channels, count, settings.method, recipe.seed)


def _kept(path: Path, channels: int) -> npt.NDArray[np.int64]:
    """Return the order in that file.

    Raises:
        BenchError: the file is damaged.
    """
    order = reading.json_of(path, "start again without --resume")
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(map(str, range(channels))):
        raise BenchError(f"{path} is not an order of {channels} channels", cure="start again without --resume")
    return np.array(order, dtype=np.int64)


def start_remote(remote: Any, body: Any, extractor: Any, samples: Samples, recipe: AgileNNRecipe) -> None:
    """Start the remote network as the reference network's body, less the local channels' part of its first kernel.

    Behind a smaller map (stride 4) the kernels are the same, but the function is not.

    Raises:
        BenchError: the two differ in kind or size.
    """
    n, r = recipe.network, recipe.reference
    if (n.remote, n.remote_widths) != (r.network, r.widths):
        raise BenchError(
            "network.remote_start = reference needs remote and remote_widths as the reference network's",
            cure="set network.remote_start = random",
        )
    inner = body if body.name == "body" else body.get_layer("body")
    if n.remote_normalisation == "folded":
        assign(remote, for_last_channels(inner, remote))
        return
    unfold(remote, inner, extractor(to_unit(samples.first(START_SAMPLES)), training=False))
