"""Trains DeepCOD against the frozen reference network, and exports it."""

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
from baselines.networks.blocks import precision
from baselines.networks.decoder import IN_FRONT, PATCH, decoder_model, start_linear
from baselines.networks.folding import fold
from baselines.networks.store import NetworkSpec, save_network
from baselines.schemes.agilenn.codebook import symbol_table
from baselines.schemes.deepcod.encoder import Encoder, device_model, enlarged_model, first_kernel, start_centres
from baselines.schemes.deepcod.recipe import DeepCODRecipe
from baselines.schemes.deepcod.start import start_from_weights
from baselines.training import backend
from baselines.training.augment import to_unit
from baselines.training.descent import DescentJob
from baselines.training.handover import hand_over
from baselines.training.interface import Report, TrainOptions
from baselines.training.loop import Run, in_batches, train
from baselines.training.pictures import training_data
from baselines.training.reference import cached, obtain
from baselines.training.supervised import Samples, accuracy, cross_entropy, hits, picture_shape
from harness.contracts.description import SERVER, DeviceDescription
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.contracts.scheme import Scheme

START_SAMPLES = 2048  # training pictures that the first kernel and centres are taken from


def clipped(x: Any, norm: float) -> Any:
    """Return `x` itself, and let the gradient that comes back through it have at most this norm."""

    @ops.custom_gradient
    def same(value: Any) -> Any:
        def back(gradient: Any) -> Any:
            square = ops.sum(ops.square(gradient))
            some = square > 0  # the root has no gradient at 0
            length = ops.where(some, ops.sqrt(ops.where(some, square, 1.0)), square)
            return gradient * norm / ops.maximum(length, norm)

        return value * 1.0, back

    return same(x)


class DeepCODJob(DescentJob):
    """Trains by picture and logits of the reference network, both through encoder, centres and decoder.

    Args:
        teacher: the frozen reference network, which sees the pictures as they are.
        classifier: what sees the decoded ones: the same network, or a copy that is trained with the rest.
    """

    def __init__(
        self, encoder: Encoder, decoder: Any, teacher: Any, classifier: Any, samples: Samples, recipe: DeepCODRecipe
    ) -> None:
        self.encoder, self.decoder, self._teacher, self.classifier = encoder, decoder, teacher, classifier
        optimiser = keras.optimizers.Adam(recipe.learning_rate, recipe.beta_1, recipe.beta_2)
        optimiser.build(self.trainable())
        super().__init__(samples, optimiser)
        self._recipe = recipe
        self._forward = backend.compiled(self._infer)

    def trainable(self) -> list[Any]:
        return [*self.encoder.trainable(), *self.decoder.trainable_variables, *self.classifier.trainable_variables]

    def _decoded(self, x: Any, *, training: bool) -> Any:
        sent = self.encoder.sent(self.encoder.features(x, update=training))
        return self.decoder(sent, training=training)

    def losses(self, x: Any, y: Any, *more: Any) -> dict[str, Any]:
        r = self._recipe
        target = self._teacher(x, training=False)
        picture = self._decoded(x, training=True)
        logits = self.classifier(clipped(picture, r.classifier_clip), training=False)
        mse = ops.mean(ops.square(picture - x))
        loss = r.picture_weight * 4.0 * mse  # the published error is of pictures in -1..1
        loss += r.logits_weight * ops.mean(ops.square(logits - target))
        loss += r.orthogonality * self.encoder.orthogonality()
        if r.labels_weight:
            loss += r.labels_weight * cross_entropy(y, logits, r.smoothing)
        return {"loss": loss, "accuracy": ops.mean(hits(logits, y)), "picture_mse": mse}

    def _infer(self, pictures: Any) -> Any:
        x = to_unit(pictures)
        decoded = self._decoded(x, training=False)
        mse = ops.mean(ops.square(decoded - x), axis=(1, 2, 3))
        return ops.concatenate([self.classifier(decoded, training=False), mse[:, None]], axis=1)

    def evaluate(self) -> dict[str, float]:
        found = in_batches(self._forward, self._samples.x_validation)
        psnr_db = -10 * np.log10(float(found[:, -1].mean()))
        right = accuracy(found[:, :-1], self._samples.y_validation)
        return {"val_accuracy": round(right, 5), "val_psnr_db": round(float(psnr_db), 3)}

    def variables(self) -> list[Any]:
        own = self.classifier.variables if self.classifier.trainable_variables else []
        return [*self.encoder.variables(), *self.decoder.variables, *own, *self._optimiser.variables]


def copied(reference: Any, name: str, *, trainable: bool = False) -> Any:
    """Copy the reference network, computing in precision `name`; its normalisation is folded."""
    with precision(name):
        model = reference.spec.build(folded=True)
    model.set_weights(reference.model.get_weights())
    model.trainable = trainable
    return model


def train_deepcod(scheme: Scheme, recipe: DeepCODRecipe, options: TrainOptions, report: Report) -> Path:
    """Train encoder, centres and decoder; write the artefact and return its folder."""
    enlarged = recipe.encoder == "enlarged"
    if enlarged and recipe.epochs:
        raise BenchError(
            "the enlarged encoder is there for its size and cycles only", cure="--epochs 0, or --set encoder=public"
        )
    data = training_data(options, recipe, multiple_of=PATCH)
    out = options.out or weights_dir() / f"{options.dataset}-{options.profile}" / scheme.name
    work = work_folder(scheme.name, recipe, data)
    reference = obtain(recipe.reference, data, report, resume=options.resume)
    if reference.spec.network not in IN_FRONT:
        raise BenchError(
            "DeepCOD's decoder stands before a residual reference network",
            cure="--set reference.network=residual, or residual64 for pictures of 64x64",
        )
    backend.set_seed(recipe.seed)
    samples = Samples.by(recipe, data)
    height, width, _ = picture_shape(recipe, data)
    some = samples.first(START_SAMPLES)
    encoder = Encoder(first_kernel(some, recipe.channels, recipe.seed), recipe.centroids, recipe.sharpness)
    encoder.fit_centres(np.asarray(encoder.features(to_unit(some))))
    shape = (height // PATCH, width // PATCH, recipe.channels)
    with precision(recipe.precision):
        decoder = decoder_model(shape, recipe.decoder, folded=False)
    start_linear(decoder, np.asarray(encoder.kernel))
    classifier = teacher = copied(reference, recipe.precision)
    if recipe.classifier == "trained":
        classifier = copied(reference, recipe.precision, trainable=True)
    if recipe.go_on_from:
        start_from_weights(encoder, decoder, classifier, recipe, data, samples, report)
    job = DeepCODJob(encoder, decoder, teacher, classifier, samples, recipe)
    run = Run.by(recipe, title=scheme.title, folder=work, samples=len(samples))
    figures = train(job, run, report, resume=options.resume)
    if not options.export:
        return hand_over(report, work, cached(recipe.reference, data))
    centres, device = np.sort(np.asarray(encoder.centres)), device_model(encoder, (height, width, 3))
    if enlarged:
        device = enlarged_model((height, width, 3), recipe.encoder_widths, recipe.channels)
        centres = start_centres(np.asarray(device(to_unit(some[:256]))), recipe.centroids)
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
    spec = NetworkSpec(IN_FRONT[reference.spec.network], shape, data.classes, (*recipe.decoder, *reference.spec.widths))
    save_network(out / SERVER, spec, fold(decoder) | fold(classifier))
    context = tables_for(description, graph, samples.first(PICTURES))
    write_artefact(out, description, graph=graph, recipe=recipe, history=work / run.log_name, context=context)
    summarise(scheme, out, data, recipe.validation, training=figures, more={"validation_float": job.evaluate()})
    return out
