"""Starts DeepCOD's training from a folder of exported weights: encoder and centres, decoder, what sees its pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from baselines.data import DataSet
from baselines.export.dequantise import folded_weights
from baselines.networks.decoder import IN_FRONT
from baselines.networks.folding import assign, fold, unfold_weights
from baselines.networks.store import NetworkSpec, load_network
from baselines.schemes.deepcod.encoder import Encoder, device_model
from baselines.schemes.deepcod.recipe import DeepCODRecipe
from baselines.training.augment import to_unit
from baselines.training.going_on import START_SAMPLES, exported
from baselines.training.interface import Report
from baselines.training.supervised import Samples, picture_shape
from harness.contracts.description import GRAPH, SERVER
from harness.contracts.errors import BenchError


def start_from_weights(
    encoder: Encoder,
    decoder: Any,
    classifier: Any,
    recipe: DeepCODRecipe,
    data: DataSet,
    samples: Samples,
    report: Report,
) -> None:
    """Put the weights in `recipe.go_on_from` into all three; a frozen classifier stays the reference network.

    Raises:
        BenchError: there are none, they are damaged, or of other networks than the recipe's.
    """
    folder, d = exported(recipe, data, report)
    if (d.channels, d.n_symbols) != (recipe.channels, recipe.centroids):
        raise BenchError(
            f"{folder} has {d.channels} channels and {d.n_symbols} centres, the recipe {recipe.channels} and "
            f"{recipe.centroids}",
            cure="set channels and centroids as those weights have them",
        )
    shape = tuple(int(n) for n in decoder.input_shape[1:])
    both = IN_FRONT[f"{recipe.reference.network}_picture"]
    spec = NetworkSpec(both, shape, data.classes, (*recipe.decoder, *recipe.reference.widths))  # type: ignore[arg-type]
    _, server = load_network(folder / SERVER, expect=spec)
    kernel = folded_weights((folder / GRAPH).read_bytes(), device_model(encoder, picture_shape(recipe, data)))
    centres = np.asarray(d.centroids, dtype=np.float32)
    encoder.take(kernel["encode_conv/kernel"], centres)
    weights = fold(server)
    features = np.asarray(encoder.features(to_unit(samples.first(START_SAMPLES))))
    sent = centres[np.abs(features[..., None] - centres).argmin(axis=-1)]
    unfold_weights(decoder, {name: value for name, value in weights.items() if name.startswith("decode_")}, sent)
    if classifier.trainable_variables:
        assign(classifier, {name: value for name, value in weights.items() if not name.startswith("decode_")})
