"""Trains AgileNN from reference network to artefact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from baselines.data import DataSet
from baselines.export.artefact import work_folder, write_artefact
from baselines.export.context_tables import PICTURES, tables_for
from baselines.export.evaluation import combine, device_half, summarise
from baselines.export.exits import choose_threshold
from baselines.export.quantise import CALIBRATION_PICTURES
from baselines.networks.blocks import precision
from baselines.networks.folding import assign, fold
from baselines.recipes.recipe import AgileNNRecipe
from baselines.schemes.agilenn import prune
from baselines.schemes.agilenn.export import Half, export_device, export_remote, pruned
from baselines.schemes.agilenn.jobs import LocalJob
from baselines.schemes.agilenn.joint import JointJob
from baselines.schemes.agilenn.networks import device_model, reference_body, remote_spec
from baselines.schemes.agilenn.start import check_start, job_from_weights
from baselines.schemes.agilenn.warm import arrange, start_remote, warm_extractor, warm_folder
from baselines.training import backend
from baselines.training.handover import hand_over
from baselines.training.interface import Report, TrainOptions
from baselines.training.loop import COSTS, Run, added, train
from baselines.training.pictures import training_data
from baselines.training.reference import Reference, cached, obtain
from baselines.training.supervised import Samples, accuracy
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.contracts.scheme import Scheme

CHANNELS = "channels.json"  # in the folder of a training
ALPHAS = [round(0.05 * i, 2) for i in range(21)]


class Alpha(NamedTuple):
    """Holds weights of the local logits, and the accuracies on validation by weight.

    The weights are the one in use, the one as trained, and the best on validation.
    """

    used: float
    learned: float
    best: float
    by_alpha: dict[float, float]


def train_agilenn(scheme: Scheme, recipe: AgileNNRecipe, options: TrainOptions, report: Report) -> Path:
    """Run reference network, warm start, channel selection, joint training and export; return the artefact's folder."""
    check(recipe, deployable=True)
    data = training_data(options, recipe)
    out = options.out or weights_dir() / f"{options.dataset}-{options.profile}" / scheme.name
    work = work_folder(scheme.name, recipe, data)
    reference = obtain(recipe.reference, data, report, resume=options.resume)
    samples = Samples.by(recipe, data)
    job = prepare(recipe, data, reference, samples, report, channels=work / CHANNELS, resume=options.resume)
    figures = run_phases(job, recipe, samples, work, report, title=scheme.title, resume=options.resume)
    if not options.export:
        return hand_over(report, work, cached(recipe.reference, data), warm_folder(recipe, data, len(samples)))
    _export(
        scheme,
        job,
        recipe,
        options,
        data=data,
        samples=samples,
        out=out,
        figures=figures,
        history=work / "joint.csv",
        report=report,
    )
    return out


def check(recipe: AgileNNRecipe, *, deployable: bool) -> None:
    """Check that the settings go together.

    Raises:
        BenchError: they don't; the message names the keys.
    """
    if recipe.input_size != recipe.reference.input_size:
        raise BenchError(
            f"input_size is {recipe.input_size}, reference.input_size {recipe.reference.input_size}",
            cure="set both alike",
        )
    if recipe.network.remote_normalisation == "folded" and recipe.network.remote_start != "reference":
        raise BenchError(
            "network.remote_normalisation = folded needs statistics to start from",
            cure="set network.remote_start = reference, or network.remote_normalisation = batch",
        )
    if recipe.go_on_from:
        check_start(recipe)
    if recipe.rate.per_byte and not recipe.codebook.quantise:
        raise BenchError("there are no bytes to lose where nothing is quantised", cure="set rate.per_byte = 0")
    if deployable and not recipe.codebook.quantise:
        raise BenchError(
            "a device can't send features that are not quantised",
            cure="leave codebook.quantise on; the control runs by: python -m harness.sweep ablation",
        )


def prepare(
    recipe: AgileNNRecipe,
    data: DataSet,
    reference: Reference,
    samples: Samples,
    report: Report,
    *,
    warm_on: Samples | None = None,
    channels: Path | None = None,
    resume: bool = False,
) -> JointJob:
    """Build the networks as they start: warm extractor, channels in order, remote network, codebook; or from weights.

    Args:
        warm_on: what the extractor is warmed on, where that is not `samples`.
        channels: file that keeps the order of the channels; it is read with `resume` only.
    """
    backend.set_seed(recipe.seed)
    teacher = reference.model if recipe.distillation.weight > 0 else None
    if recipe.go_on_from:
        return job_from_weights(recipe, data, teacher, samples, report)
    device = device_model(recipe, data, folded=False)
    body = reference_body(reference.spec, reference.model, recipe, data)
    untrained = recipe.model_copy(update={"preselect": recipe.preselect.model_copy(update={"warm_epochs": 0})})
    warm_recipe = recipe if recipe.epochs else untrained
    shown = warm_on or samples
    folder = warm_folder(recipe, data, len(shown))
    extractor = warm_extractor(device, body, reference, shown, warm_recipe, folder, report)
    centroids = arrange(device, extractor, body, shown, recipe, report, keep=channels, resume=resume)
    with precision(recipe.precision):
        remote = remote_spec(recipe, data).build(
            folded=recipe.network.remote_normalisation == "folded", logit_norm=recipe.network.logit_norm
        )
    if recipe.network.remote_start == "reference":
        start_remote(remote, body, extractor, shown, recipe)
    return JointJob(
        device=device, remote=remote, body=body, teacher=teacher, samples=samples, recipe=recipe, centroids=centroids
    )


def run_phases(
    job: JointJob, recipe: AgileNNRecipe, samples: Samples, work: Path, report: Report, *, title: str, resume: bool
) -> dict[str, Any]:
    """Train jointly, then the local branch alone; return the figures of the chosen epoch."""
    figures = train(job, _run(title, work, samples, recipe, epochs=recipe.epochs, phase="joint"), report, resume=resume)
    if recipe.finish_epochs and recipe.epochs and recipe.network.k:
        finish = _run("local branch", work, samples, recipe, epochs=recipe.finish_epochs, phase="local")
        if recipe.finish_learning_rate:
            finish = replace(finish, learning_rate=recipe.finish_learning_rate)
        local = train(LocalJob(job.device, samples, recipe), finish, report, resume=resume)
        both = added(figures, local)
        figures = {name: value for name, value in figures.items() if name not in COSTS} | both
        figures |= {"finish_epoch": local["epoch"]}
    return figures


def choose_alpha(job: JointJob, recipe: AgileNNRecipe, samples: Samples) -> Alpha:
    """Return the weight of the local logits as the recipe wants it: as trained, or the best on validation."""
    learned = float(job.alpha())
    if not recipe.network.k:
        return Alpha(0.0, 0.0, 0.0, {})
    local, remote = job.logits(samples.x_validation)
    by_alpha = {a: accuracy(combine(local, remote, a), samples.y_validation) for a in ALPHAS}
    # Of the best weights, take the nearest to the learned one, so that noise alone moves nothing far.
    best = min((a for a in ALPHAS if by_alpha[a] == max(by_alpha.values())), key=lambda a: abs(a - learned))
    return Alpha(learned if recipe.alpha == "learned" else best, learned, best, by_alpha)


def _run(title: str, work: Path, samples: Samples, recipe: AgileNNRecipe, *, epochs: int, phase: str) -> Run:
    names = {"log_name": f"{phase}.csv", "checkpoint_name": f"{phase}.npz"}
    return Run.by(recipe, title=title, folder=work, samples=len(samples), epochs=epochs, **names)


def _exit_threshold(scheme: Scheme, out: Path, half: Half, samples: Samples, loss: float) -> float:
    """Choose the threshold of the artefact in `out` on validation, against both branches together."""
    symbols, local = device_half(half.description, half.graph, samples.x_validation)
    if symbols is None or local is None:
        raise AssertionError("the device graph has features and logits")
    together = combine(local, scheme.server(out).infer_batch(symbols), half.description.alpha)
    return choose_threshold(local, together, samples.y_validation, loss)


def _export(
    scheme: Scheme,
    job: JointJob,
    recipe: AgileNNRecipe,
    options: TrainOptions,
    *,
    data: DataSet,
    samples: Samples,
    out: Path,
    figures: dict[str, Any],
    history: Path,
    report: Report,
) -> None:
    alpha = choose_alpha(job, recipe, samples)
    folded = device_model(recipe, data, folded=True)
    assign(folded, fold(job.device))
    half = export_device(
        folded,
        job.centroids(),
        round(alpha.used, 6),
        recipe,
        scheme=scheme.name,
        dataset=options.dataset,
        profile=options.profile,
        classes=data.classes,
        calibration=samples.first(CALIBRATION_PICTURES),
    )
    half = pruned(half, samples.first(prune.PICTURES), report)
    export_remote(out, remote_spec(recipe, data), fold(job.remote))
    context = tables_for(half.description, half.graph, samples.first(PICTURES))
    write_artefact(out, half.description, graph=half.graph, recipe=recipe, history=history, context=context)
    if recipe.exit_loss and recipe.network.k:
        threshold = _exit_threshold(scheme, out, half, samples, recipe.exit_loss)
        chosen = half.description.model_copy(update={"exit_threshold": threshold})
        write_artefact(out, chosen, graph=half.graph, recipe=recipe, history=history, context=context)
    more: dict[str, Any] = {"validation_float": job.evaluate()}
    if recipe.network.k:
        local, remote = job.logits(samples.x_validation)
        combined = accuracy(combine(local, remote, alpha.used), samples.y_validation)
        more["validation_float"] |= {"combined_at_alpha": round(combined, 5)}
        more = {"alpha_learned": round(alpha.learned, 4), "alpha_best_on_validation": alpha.best, **more}
        more["validation_float_by_alpha"] = {f"{a:.2f}": round(value, 5) for a, value in alpha.by_alpha.items()}
        more["test_attention"] = job.attention(samples.as_taken(data.x_test), data.y_test) if recipe.epochs else {}
    summary = summarise(scheme, out, data, recipe.validation, training=figures, more=more)
    floats = more["validation_float"]
    before = floats.get("combined_at_alpha", floats["val_accuracy"])
    after = summary["validation_int8"]["combined"]
    report.message(
        f"int8 device half: validation {100 * before:.1f} % in float, {100 * after:.1f} % as exported "
        f"({100 * (after - before):+.1f} points)"
    )
