"""AgileNN's training from reference network to artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from baselines.agilenn import codebook
from baselines.agilenn.export import export_device, export_remote
from baselines.agilenn.importance import ImportanceMeter, channel_importance
from baselines.agilenn.jobs import JointJob, LocalJob, WarmJob
from baselines.agilenn.networks import device_model, reference_body, remote_spec, reorder
from baselines.agilenn.preselect import channel_order
from baselines.artefact import work_folder, write_artefact
from baselines.data import DataSet, load_dataset
from baselines.evaluation import summarise
from baselines.networks.blocks import precision
from baselines.networks.folding import assign, fold, unfold
from baselines.quantise import CALIBRATION_PICTURES
from baselines.recipe import AgileNNRecipe
from baselines.reference import Reference, obtain
from baselines.training.augment import to_unit
from baselines.training.interface import Report, TrainOptions
from baselines.training.loop import Run, in_batches, train
from baselines.training.supervised import Samples, accuracy
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.contracts.scheme import Scheme

START_SAMPLES = 512  # training pictures that the remote network's first statistics are taken on
ALPHAS = [round(0.05 * i, 2) for i in range(21)]


def train_agilenn(scheme: Scheme, recipe: AgileNNRecipe, options: TrainOptions, report: Report) -> Path:
    """Reference network, warm start, channel selection, joint training, export; returns the artefact's folder."""
    data = load_dataset(options.dataset, options.data_dir)
    out = options.out or weights_dir() / f"{options.dataset}-{options.profile}" / scheme.name
    work = work_folder(scheme.name, recipe, data)
    reference = obtain(recipe.reference, data, report, resume=options.resume)
    keras.utils.set_random_seed(recipe.seed)
    samples = Samples(data, validation=recipe.validation, limit=recipe.max_train)
    device = device_model(recipe, data, folded=False)
    body = reference_body(reference.spec, reference.model, recipe, data)
    centroids = warm_start(device, body, reference, samples, recipe, work=work, report=report, resume=options.resume)
    spec = remote_spec(recipe, data)
    with precision(recipe.precision):
        remote = spec.build(folded=False)
    if recipe.network.remote_start == "reference":
        start_remote(remote, body, device, samples, recipe)
    teacher = reference.model if recipe.distillation.weight > 0 else None
    job = JointJob(
        device=device,
        remote=remote,
        body=body,
        teacher=teacher,
        samples=samples,
        recipe=recipe,
        centroids=centroids,
    )
    run = _run(scheme.title, work, samples, recipe, epochs=recipe.epochs, phase="joint")
    figures = train(job, run, report, resume=options.resume)
    if recipe.finish_epochs and recipe.epochs:
        finish = _run("local branch", work, samples, recipe, epochs=recipe.finish_epochs, phase="local")
        local = train(LocalJob(device, samples, recipe), finish, report, resume=options.resume)
        figures |= {"finish_epoch": local["epoch"], "wall_s": round(figures["wall_s"] + local["wall_s"], 1)}
    _export(
        scheme, job, recipe, options, data=data, samples=samples, out=out, figures=figures, history=work / run.log_name
    )
    return out


def _run(title: str, work: Path, samples: Samples, recipe: AgileNNRecipe, *, epochs: int, phase: str) -> Run:
    return Run(
        title=title,
        folder=work,
        samples=len(samples),
        batch=recipe.batch,
        epochs=epochs,
        seed=recipe.seed,
        learning_rate=recipe.learning_rate,
        warmup_epochs=recipe.warmup_epochs,
        log_name=f"{phase}.csv",
        checkpoint_name=f"{phase}.npz",
    )


def warm_start(
    device: Any,
    body: Any,
    reference: Reference,
    samples: Samples,
    recipe: AgileNNRecipe,
    *,
    work: Path,
    report: Report,
    resume: bool,
) -> codebook.Floats:
    """Teach the extractor to feed the reference network, put the chosen channels first, fit the first codebook.

    Returns the centroids to start from. With `preselect.warm_epochs` = 0 the extractor starts untrained.
    """
    extractor = keras.Model(device.input, device.get_layer("extract_mix_relu").output)
    epochs = recipe.preselect.warm_epochs if recipe.epochs else 0
    warm = WarmJob(extractor, body, reference.model, samples, recipe)
    run = _run("warm start of the extractor", work, samples, recipe, epochs=epochs, phase="warm")
    train(warm, run, report, resume=resume)
    x = samples.x[: recipe.preselect.samples]
    y = samples.y[: recipe.preselect.samples].astype(np.int32)
    i = recipe.importance
    meter = ImportanceMeter(body, i.method, i.attribution, i.steps)

    def measure(pictures: Any, labels: Any) -> Any:
        return channel_importance(meter(extractor(to_unit(pictures), training=False), labels)[0])

    order = channel_order(in_batches(tf.function(measure), x, y, batch=256), recipe.network.k, recipe.preselect.method)
    reorder(device, body, order)
    report.message(f"local channels: {', '.join(str(c) for c in order[: recipe.network.k])} of the warm extractor")
    forward = tf.function(lambda pictures: extractor(to_unit(pictures), training=False))
    features = in_batches(forward, x[:512])
    return codebook.fit(features[..., recipe.network.k :], recipe.codebook.centroids)


def start_remote(remote: Any, body: Any, device: Any, samples: Samples, recipe: AgileNNRecipe) -> None:
    """Start the remote network as the reference network's body, less the local channels' part of its first kernel.

    Raises:
        BenchError: the two differ in size.
    """
    if recipe.network.remote_widths != recipe.reference.widths or recipe.network.stride != 2:
        raise BenchError(
            "network.remote_start = reference needs remote_widths as the reference network's and stride 2",
            cure="set network.remote_start = random",
        )
    features, _ = device(to_unit(samples.x[:START_SAMPLES]), training=False)
    unfold(remote, body, features)


def _export(
    scheme: Scheme,
    job: JointJob,
    recipe: AgileNNRecipe,
    options: TrainOptions,
    *,
    data: DataSet,
    samples: Samples,
    out: Path,
    figures: dict[str, float],
    history: Path,
) -> None:
    local, remote = job.logits(samples.x_validation)
    learned = float(job.alpha())
    by_alpha = {a: accuracy(a * local + (1 - a) * remote, samples.y_validation) for a in ALPHAS}
    # The nearest to the learned value among the best, so that noise alone moves nothing far.
    best = min((a for a in ALPHAS if by_alpha[a] == max(by_alpha.values())), key=lambda a: abs(a - learned))
    alpha = learned if recipe.alpha == "learned" else best
    folded = device_model(recipe, data, folded=True)
    assign(folded, fold(job.device))
    half = export_device(
        folded,
        job.centroids(),
        round(alpha, 6),
        recipe,
        dataset=options.dataset,
        profile=options.profile,
        calibration=samples.x[:CALIBRATION_PICTURES],
    )
    export_remote(out, remote_spec(recipe, data), fold(job.remote))
    write_artefact(out, half.description, graph=half.graph, recipe=recipe, history=history)
    more = {
        "alpha_learned": round(learned, 4),
        "alpha_best_on_validation": best,
        "validation_float": job.evaluate(),
        "validation_float_by_alpha": {f"{a:.2f}": round(value, 5) for a, value in by_alpha.items()},
    }
    summarise(scheme, out, data, recipe.validation, training=figures, more=more)
