"""Starts a training from weights that were exported before: their device half, codebook, remote network and alpha.

The exported networks are folded and, on the device, rounded to int8. They get their normalisation back with the
statistics of training pictures, so that they are trained on as any other network is.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from baselines.data import DataSet
from baselines.export.dequantise import folded_weights
from baselines.networks.blocks import precision
from baselines.networks.folding import unfold, unfold_weights
from baselines.networks.store import load_network
from baselines.recipes.recipe import AgileNNRecipe
from baselines.schemes.agilenn.codebook import symbols_of
from baselines.schemes.agilenn.joint import JointJob
from baselines.schemes.agilenn.networks import device_model, remote_spec
from baselines.schemes.agilenn.prune import widened
from baselines.training.augment import to_unit
from baselines.training.going_on import START_SAMPLES, exported
from baselines.training.interface import Report
from baselines.training.supervised import Samples
from harness.contracts.description import GRAPH, SERVER, DeviceDescription
from harness.contracts.errors import BenchError

_CURE = "take the network and codebook of the recipe that lies beside those weights"


def check_start(recipe: AgileNNRecipe) -> None:
    """Check that the recipe asks for nothing that exported weights do not tell.

    Which channel of the reference network a feature stood in for is not known any more, so that there is no importance
    to be measured.

    Raises:
        BenchError: it does.
    """
    losses = recipe.losses
    if losses.skewness_weight or losses.disorder_weight or losses.reference:
        raise BenchError(
            "go_on_from: weights do not tell how their channels stood to the reference network's",
            cure="set losses.skewness_weight, losses.disorder_weight and losses.reference to 0",
        )
    if recipe.network.logit_norm or not recipe.codebook.quantise:
        raise BenchError(
            "go_on_from: exported weights are quantised and have no normalisation of logits",
            cure="set network.logit_norm = false and codebook.quantise = true",
        )


def job_from_weights(recipe: AgileNNRecipe, data: DataSet, teacher: Any, samples: Samples, report: Report) -> JointJob:
    """Return the joint training as it goes on from the weights in `recipe.go_on_from`.

    Raises:
        BenchError: there are none, they are damaged, or of other networks than the recipe's.
    """
    folder, description = exported(recipe, data, report)
    _fits(description, recipe, folder)
    pictures = to_unit(samples.first(START_SAMPLES))
    device = device_model(recipe, data, folded=False)
    narrow = device_model(recipe, data, folded=True, sent=description.channels)
    unfold_weights(device, widened(folded_weights((folder / GRAPH).read_bytes(), narrow), description), pictures)
    features = np.asarray(_first(device(pictures, training=False)))
    centroids = np.asarray(description.centroids, dtype=np.float32)
    # Symbols that were left out at export come back as doubles of the last one, which nothing is nearest to.
    centroids = np.pad(centroids, (0, recipe.codebook.centroids - len(centroids)), mode="edge")
    _, server = load_network(folder / SERVER, expect=remote_spec(recipe, data))
    with precision(recipe.precision):
        remote = remote_spec(recipe, data).build(folded=recipe.network.remote_normalisation == "folded")
    if recipe.network.remote_normalisation == "folded":
        remote.set_weights(server.get_weights())
    else:
        unfold(remote, server, centroids[symbols_of(features[..., recipe.network.k :], centroids)])
    job = JointJob(
        device=device, remote=remote, body=None, teacher=teacher, samples=samples, recipe=recipe, centroids=centroids
    )
    if 0 < description.alpha < 1:
        job.balance.assign(recipe.temperature * math.log(description.alpha / (1 - description.alpha)))
    return job


def _first(outputs: Any) -> Any:
    return outputs[0] if isinstance(outputs, (list, tuple)) else outputs


def _fits(description: DeviceDescription, recipe: AgileNNRecipe, folder: Path) -> None:
    """Raise BenchError where the weights are of other sizes than the recipe's."""
    n = recipe.network
    if description.first_channel != n.k:
        raise BenchError(f"{folder} has first_channel {description.first_channel}, the recipe {n.k}", cure=_CURE)
    sent = description.channels + len(description.constant_channels)
    if sent != n.channels - n.k:
        raise BenchError(f"{folder} sends {sent} channels, the recipe {n.channels - n.k}", cure=_CURE)
    if description.n_symbols > recipe.codebook.centroids:
        raise BenchError(
            f"{folder} has {description.n_symbols} symbols, the recipe {recipe.codebook.centroids}", cure=_CURE
        )
