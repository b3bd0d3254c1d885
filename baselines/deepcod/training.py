"""DeepCOD's training against the frozen reference network, and its export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from baselines.agilenn.codebook import symbol_table
from baselines.artefact import work_folder, write_artefact
from baselines.context_tables import PICTURES, tables_for
from baselines.data import load_dataset
from baselines.deepcod.encoder import Encoder, device_model, enlarged_model, first_kernel, start_centres
from baselines.deepcod.recipe import DeepCODRecipe
from baselines.evaluation import summarise
from baselines.networks.blocks import precision
from baselines.networks.decoder import PATCH, decoder_model, start_linear
from baselines.networks.folding import fold
from baselines.networks.store import NetworkSpec, save_network
from baselines.quantise import CALIBRATION_PICTURES, output_quantisation, to_int8
from baselines.reference import obtain
from baselines.training.augment import to_unit
from baselines.training.interface import Report, TrainOptions
from baselines.training.loop import Job, Run, in_batches, train
from baselines.training.supervised import Samples, accuracy, picture_shape
from harness.contracts.description import SERVER, DeviceDescription
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.contracts.scheme import Scheme

START_SAMPLES = 2048  # training pictures that the first kernel and centres are taken from


def clipped(x: Any, norm: float) -> Any:
    """`x` itself; the gradient that comes back through it has at most this norm."""

    @tf.custom_gradient
    def same(value: Any) -> Any:
        return tf.identity(value), lambda gradient: tf.clip_by_norm(gradient, norm)

    return same(x)


class DeepCODJob(Job):
    """Picture and logits of the reference network, both through encoder, centres and decoder."""

    def __init__(self, encoder: Encoder, decoder: Any, classifier: Any, samples: Samples, recipe: DeepCODRecipe):
        self.encoder, self.decoder = encoder, decoder
        self._classifier, self._samples, self._recipe = classifier, samples, recipe
        self._optimiser = keras.optimizers.Adam(recipe.learning_rate, recipe.beta_1, recipe.beta_2)
        self._optimiser.build(self._trainable())
        self._compiled = tf.function(self._step)
        self._forward = tf.function(self._infer)

    def _trainable(self) -> list[Any]:
        return [*self.encoder.trainable(), *self.decoder.trainable_variables]

    def _decoded(self, x: Any, *, training: bool) -> Any:
        sent = self.encoder.sent(self.encoder.features(x, update=training))
        return self.decoder(sent, training=training)

    def _step(self, indices: Any, seed: Any) -> dict[str, Any]:
        r = self._recipe
        x, y = self._samples.batch(indices, seed)
        target = self._classifier(x, training=False)
        with tf.GradientTape() as tape:
            picture = self._decoded(x, training=True)
            logits = self._classifier(clipped(picture, r.classifier_clip), training=False)
            mse = tf.reduce_mean(tf.square(picture - x))
            loss = r.picture_weight * 4.0 * mse  # the published error is of pictures in -1..1
            loss += r.logits_weight * tf.reduce_mean(tf.square(logits - target))
            loss += r.orthogonality * self.encoder.orthogonality()
        variables = self._trainable()
        self._optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        right = tf.reduce_mean(tf.cast(tf.argmax(logits, -1, tf.int32) == y, tf.float32))
        return {"loss": loss, "accuracy": right, "picture_mse": mse}

    def step(self, indices: npt.NDArray[np.int32], seed: npt.NDArray[np.int32], learning_rate: float) -> dict[str, Any]:
        self._optimiser.learning_rate.assign(learning_rate)
        result: dict[str, Any] = self._compiled(tf.constant(indices), tf.constant(seed))
        return result

    def _infer(self, pictures: Any) -> Any:
        x = to_unit(pictures)
        decoded = self._decoded(x, training=False)
        mse = tf.reduce_mean(tf.square(decoded - x), axis=(1, 2, 3))
        return tf.concat([self._classifier(decoded, training=False), mse[:, None]], axis=1)

    def evaluate(self) -> dict[str, float]:
        found = in_batches(self._forward, self._samples.x_validation)
        psnr_db = -10 * np.log10(float(found[:, -1].mean()))
        right = accuracy(found[:, :-1], self._samples.y_validation)
        return {"val_accuracy": round(right, 5), "val_psnr_db": round(float(psnr_db), 3)}

    def variables(self) -> list[Any]:
        return [*self.encoder.variables(), *self.decoder.variables, *self._optimiser.variables]


def frozen(reference: Any, name: str) -> Any:
    """The reference network once more, computing in precision `name`."""
    with precision(name):
        model = reference.spec.build(folded=True)
    model.set_weights(reference.model.get_weights())
    model.trainable = False
    return model


def train_deepcod(scheme: Scheme, recipe: DeepCODRecipe, options: TrainOptions, report: Report) -> Path:
    """Train encoder, centres and decoder; write the artefact and return its folder."""
    enlarged = recipe.encoder == "enlarged"
    if enlarged and recipe.epochs:
        raise BenchError(
            "the enlarged encoder is there for its size and cycles only", cure="--epochs 0, or --set encoder=public"
        )
    data = load_dataset(options.dataset, options.data_dir)
    out = options.out or weights_dir() / f"{options.dataset}-{options.profile}" / scheme.name
    work = work_folder(scheme.name, recipe, data)
    reference = obtain(recipe.reference, data, report, resume=options.resume)
    if reference.spec.network != "residual_picture":
        raise BenchError(
            "DeepCOD's decoder stands before the residual reference network", cure="reference.network=residual"
        )
    keras.utils.set_random_seed(recipe.seed)
    samples = Samples(data, validation=recipe.validation, limit=recipe.max_train, size=recipe.input_size)
    height, width, _ = picture_shape(recipe, data)
    some = samples.first(START_SAMPLES)
    encoder = Encoder(first_kernel(some, recipe.channels, recipe.seed), recipe.centroids, recipe.sharpness)
    encoder.fit_centres(np.asarray(encoder.features(to_unit(tf.constant(some)))))
    shape = (height // PATCH, width // PATCH, recipe.channels)
    with precision(recipe.precision):
        decoder = decoder_model(shape, recipe.decoder, folded=False)
    start_linear(decoder, np.asarray(encoder.kernel))
    job = DeepCODJob(encoder, decoder, frozen(reference, recipe.precision), samples, recipe)
    run = Run(
        title=scheme.title,
        folder=work,
        samples=len(samples),
        batch=recipe.batch,
        epochs=recipe.epochs,
        seed=recipe.seed,
        learning_rate=recipe.learning_rate,
        warmup_epochs=recipe.warmup_epochs,
        patience=recipe.patience,
    )
    figures = train(job, run, report, resume=options.resume)
    centres, device = np.sort(np.asarray(encoder.centres)), device_model(encoder, (height, width, 3))
    if enlarged:
        device = enlarged_model((height, width, 3), recipe.encoder_widths, recipe.channels)
        centres = start_centres(np.asarray(device(to_unit(tf.constant(some[:256])))), recipe.centroids)
    graph = to_int8(device, samples.first(CALIBRATION_PICTURES))
    description = DeviceDescription(
        scheme=scheme.name,
        dataset=options.dataset,
        profile=options.profile,
        classes=data.classes,
        input_shape=(height, width, 3),
        scale_pictures=bool(recipe.input_size),
        graph=True,
        offload="features",
        features_output=0,
        local_logits_output=-1,
        channels=recipe.channels,
        n_symbols=recipe.centroids,
        symbol_table=symbol_table(*output_quantisation(graph, 0), centres),
        centroids=[float(c) for c in centres],
        codec=recipe.codec,
        alpha=0.0,
    )
    spec = NetworkSpec("deepcod", shape, data.classes, (*recipe.decoder, *reference.spec.widths))
    save_network(out / SERVER, spec, fold(decoder) | fold(reference.model))
    context = tables_for(description, graph, samples.first(PICTURES))
    write_artefact(out, description, graph=graph, recipe=recipe, history=work / run.log_name, context=context)
    summarise(scheme, out, data, recipe.validation, training=figures, more={"validation_float": job.evaluate()})
    return out
