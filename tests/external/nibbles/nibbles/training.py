"""Trains encoder and server network as one, cuts them apart and exports both halves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from baselines.export.artefact import work_folder, write_artefact
from baselines.export.borders import output_quantisation
from baselines.export.context_tables import PICTURES, tables_for
from baselines.export.evaluation import summarise
from baselines.export.quantise import CALIBRATION_PICTURES, to_int8
from baselines.networks.blocks import Blocks, precision
from baselines.networks.folding import assign, fold
from baselines.networks.residual import body
from baselines.networks.store import NetworkSpec, save_network
from baselines.schemes.agilenn.codebook import symbol_table
from baselines.training import backend
from baselines.training.handover import hand_over
from baselines.training.loop import Run, train
from baselines.training.pictures import training_data
from baselines.training.supervised import Samples, SupervisedJob, picture_shape
from harness.contracts.description import SERVER, DeviceDescription
from harness.contracts.paths import weights_dir
from harness.contracts.scheme import Scheme
from harness.contracts.training import Report, TrainOptions
from nibbles import STRIDE, NibblesRecipe

CHANNELS, TOP = 4, 6.0  # of the map that is sent; ReLU6 ends there
LEVELS = np.linspace(0.0, TOP, 16, dtype=np.float32)  # the value of each symbol


class Rounded(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Rounds features to the levels going forward, and lets gradients through as they are."""

    def call(self, x: Any) -> Any:
        step = TOP / (len(LEVELS) - 1)
        return x + ops.stop_gradient(ops.round(x / step) * step - x)


def encoded(picture: Any, recipe: NibblesRecipe, blocks: Blocks) -> Any:
    """Turn pictures in 0..1 [n, h, w, 3] into features [n, h/4, w/4, 4] in 0..6."""
    x = blocks.conv(picture, recipe.encoder[0], stride=2, act="relu6", name="encode0")
    x = blocks.conv(x, recipe.encoder[1], stride=2, act="relu6", name="encode1")
    return blocks.conv(x, CHANNELS, act="relu6", name="encode2")


def train_nibbles(scheme: Scheme, recipe: NibblesRecipe, options: TrainOptions, report: Report) -> Path:
    """Train, export, and return the artefact's folder."""
    data = training_data(options, recipe, multiple_of=STRIDE)
    out = options.out or weights_dir() / f"{options.dataset}-{options.profile}" / scheme.name
    work = work_folder(scheme.name, recipe, data)
    samples, shape = Samples.by(recipe, data), picture_shape(recipe, data)
    backend.set_seed(recipe.seed)
    picture = keras.Input(shape)
    with precision(recipe.precision):
        features = Rounded(name="rounded")(encoded(picture, recipe, Blocks()))
        whole = keras.Model(picture, body(features, data.classes, recipe.server, Blocks()))
    job = SupervisedJob(whole, samples, recipe=recipe)
    run = Run.by(recipe, title=scheme.title, folder=work, samples=len(samples))
    figures = train(job, run, report, resume=options.resume)
    if not options.export:
        return hand_over(report, work)

    weights = fold(whole)  # normalisation goes into the convolutions, as on the device
    device = keras.Model(picture, encoded(picture, recipe, Blocks(folded=True)))
    assign(device, {name: w for name, w in weights.items() if name.startswith("encode")})
    graph = to_int8(device, samples.first(CALIBRATION_PICTURES))
    description = DeviceDescription(
        scheme=scheme.name,
        dataset=options.dataset,
        profile=options.profile,
        classes=data.classes,
        input_shape=shape,
        scale_pictures=bool(recipe.input_size),
        graph=True,
        offload="features",
        features_output=0,
        local_logits_output=-1,
        channels=CHANNELS,
        n_symbols=len(LEVELS),
        symbol_table=symbol_table(*output_quantisation(graph, 0), LEVELS),
        centroids=LEVELS.tolist(),
        codec="context",
        alpha=0.0,
    )
    sent = (shape[0] // STRIDE, shape[1] // STRIDE, CHANNELS)
    spec = NetworkSpec("residual_body", sent, data.classes, recipe.server)
    save_network(out / SERVER, spec, {name: w for name, w in weights.items() if not name.startswith("encode")})
    context = tables_for(description, graph, samples.first(PICTURES))
    write_artefact(out, description, graph=graph, recipe=recipe, history=work / run.log_name, context=context)
    summarise(scheme, out, data, recipe.validation, training=figures, more={"validation_float": job.evaluate()})
    return out
