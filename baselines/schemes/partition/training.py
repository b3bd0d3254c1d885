"""Trains a chain of blocks and its exits jointly, and exports every split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from baselines.export.artefact import work_folder, write_artefact, write_bytes, write_text
from baselines.export.borders import output_index, output_quantisation
from baselines.export.evaluation import device_half, summarise
from baselines.export.exits import choose_threshold, exits
from baselines.export.quantise import CALIBRATION_PICTURES, to_int8
from baselines.networks.blocks import precision
from baselines.networks.chain import head_model, training_model
from baselines.networks.folding import Weights, assign, fold
from baselines.networks.store import NetworkSpec, save_network
from baselines.schemes.partition.recipe import PartitionRecipe
from baselines.schemes.partition.serving import load_tail
from baselines.schemes.partition.splits import split_folder
from baselines.schemes.partition.start import START_SAMPLES, start_from, trained_weights
from baselines.training import backend
from baselines.training.augment import to_unit
from baselines.training.descent import DescentJob, optimiser_of
from baselines.training.going_on import exported, start_by
from baselines.training.handover import hand_over
from baselines.training.interface import Report, TrainOptions
from baselines.training.loop import Run, in_batches, train
from baselines.training.pictures import training_data
from baselines.training.reference import cached, obtain
from baselines.training.supervised import Samples, accuracy, cross_entropy, distillation, hits, picture_shape
from harness.contracts import tomlout
from harness.contracts.description import DESCRIPTION, GRAPH, SERVER, DeviceDescription
from harness.contracts.paths import weights_dir
from harness.contracts.scheme import Scheme


class PartitionJob(DescentJob):
    """Trains by cross-entropy of the whole network and of every exit; exits also learn from the whole network."""

    def __init__(self, model: Any, samples: Samples, recipe: PartitionRecipe) -> None:
        super().__init__(samples, optimiser_of(recipe, model.trainable_variables))
        self.model, self._recipe = model, recipe
        self._shown = recipe.splits.index(recipe.split)
        self._forward = backend.compiled(lambda x: ops.stack(model(to_unit(x), training=False), axis=1))

    def trainable(self) -> list[Any]:
        variables: list[Any] = self.model.trainable_variables
        return variables

    def losses(self, x: Any, y: Any, *more: Any) -> dict[str, Any]:
        r = self._recipe
        *exits, whole = self.model(x, training=True)
        loss = cross_entropy(y, whole, r.smoothing)
        taught = ops.stop_gradient(whole)
        for logits in exits:
            own = cross_entropy(y, logits, r.smoothing)
            soft = distillation(taught, logits, r.distillation_temperature)
            loss += r.exit_weight * ((1 - r.exit_distillation) * own + r.exit_distillation * soft)
        return {"loss": loss, "accuracy": ops.mean(hits(whole, y)), "local": ops.mean(hits(exits[self._shown], y))}

    def evaluate(self) -> dict[str, float]:
        logits, y = in_batches(self._forward, self._samples.x_validation), self._samples.y_validation
        exits = {f"val_exit{split}": round(accuracy(logits[:, i], y), 5) for i, split in enumerate(self._recipe.splits)}
        whole = round(accuracy(logits[:, -1], y), 5)
        return {"val_accuracy": whole, "val_local": exits[f"val_exit{self._recipe.split}"], **exits}

    def variables(self) -> list[Any]:
        return [*self.model.variables, *self._optimiser.variables]


@dataclass(frozen=True)
class Exported:
    """Holds one split, and its figures on validation as it will run (int8 device, float16 server)."""

    description: DeviceDescription
    graph: bytes
    figures: dict[str, float]


def train_partition(scheme: Scheme, recipe: PartitionRecipe, options: TrainOptions, report: Report) -> Path:
    """Train, export every split, and return the folder of the default one."""
    data = training_data(options, recipe)
    out = options.out or weights_dir() / f"{options.dataset}-{options.profile}" / scheme.name
    work = work_folder(scheme.name, recipe, data)
    taught = recipe.start == "reference" and not recipe.go_on_from
    reference = obtain(recipe.reference, data, report, resume=options.resume) if taught else None
    backend.set_seed(recipe.seed)
    samples = Samples.by(recipe, data)
    shape = picture_shape(recipe, data)
    with precision(recipe.precision):
        model = training_model(
            shape, data.classes, blocks=recipe.blocks, splits=recipe.splits, exit_widths=recipe.exit_widths
        )
    if recipe.go_on_from:
        folder, _ = exported(recipe, data, report)
        start_by(model, trained_weights(folder, recipe, shape, data.classes), samples)
    elif reference is not None:
        copied = start_from(model, recipe.blocks, reference.model, reference.spec, samples.first(START_SAMPLES))
        report.message(f"{copied} convolutions start as the reference network's")
    job = PartitionJob(model, samples, recipe)
    run = Run.by(recipe, title=scheme.title, folder=work, samples=len(samples))
    figures = train(job, run, report, resume=options.resume)
    if not options.export:
        return hand_over(report, work, cached(recipe.reference, data))
    save_network(out / SERVER, NetworkSpec("chain", shape, data.classes, (), recipe.blocks), _trunk(fold(model)))
    by_split = {
        split: _export(scheme, recipe, options, model, samples, out=out, split=split) for split in recipe.splits
    }
    write_artefact(
        out,
        by_split[recipe.split].description,
        graph=by_split[recipe.split].graph,
        recipe=recipe,
        history=work / run.log_name,
    )
    more = {
        "validation_float": job.evaluate(),
        "validation_int8_by_split": {str(split): one.figures for split, one in by_split.items()},
    }
    summarise(scheme, out, data, recipe.validation, training=figures, more=more)
    return out


def _trunk(weights: Weights) -> Weights:
    """Return the weights without the exits."""
    return {name: value for name, value in weights.items() if not name.startswith("exit")}


def _export(
    scheme: Scheme,
    recipe: PartitionRecipe,
    options: TrainOptions,
    model: Any,
    samples: Samples,
    *,
    out: Path,
    split: int,
) -> Exported:
    """Write `splits/<split>/` with its threshold chosen."""
    classes, shape = int(model.output_shape[-1][-1]), tuple(model.input_shape[1:])
    folded = head_model(shape, classes, blocks=recipe.blocks, split=split, exit_widths=recipe.exit_widths, folded=True)
    own = {layer.name for layer in folded.layers}
    assign(folded, {name: value for name, value in fold(model).items() if name.partition("/")[0] in own})
    graph = to_int8(folded, samples.first(CALIBRATION_PICTURES))
    features = output_index(graph, 4)
    scale, zero_point = output_quantisation(graph, features)
    description = DeviceDescription(
        scheme=scheme.name,
        dataset=options.dataset,
        profile=options.profile,
        classes=classes,
        input_shape=shape,
        scale_pictures=bool(recipe.input_size),
        graph=True,
        offload="features",
        features_output=features,
        local_logits_output=output_index(graph, 2),
        channels=int(folded.output_shape[0][-1]),
        n_symbols=256,
        symbol_table=list(range(256)),
        centroids=[round(scale * (v - zero_point), 9) for v in range(-128, 128)],
        codec=recipe.codec,
        alpha=0.0,
        split=split,
    )
    symbols, local = device_half(description, graph, samples.x_validation)
    if symbols is None or local is None:
        raise AssertionError("the device graph has features and logits")
    remote = load_tail(out / SERVER, split, classes, description.centroids).infer_batch(symbols)
    y = samples.y_validation
    threshold = recipe.threshold
    if threshold == "validation":
        threshold = choose_threshold(local, remote, y, recipe.threshold_loss)
    description = description.model_copy(update={"exit_threshold": threshold})
    folder = split_folder(out, split)
    write_text(folder / DESCRIPTION, tomlout.dumps(description.model_dump(mode="json")))
    write_bytes(folder / GRAPH, graph)
    left = exits(local, threshold)
    figures = {
        "threshold": threshold,
        "exited": round(float(left.mean()), 5),
        "local": round(accuracy(local, y), 5),
        "remote": round(accuracy(remote, y), 5),
        "combined": round(accuracy(np.where(left[:, None], local, remote), y), 5),
    }
    return Exported(description, graph, figures)
