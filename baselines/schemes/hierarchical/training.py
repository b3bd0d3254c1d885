"""Trains the local network of hierarchical inference, chooses its threshold and exports it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from baselines.export.artefact import work_folder, write_artefact, write_bytes
from baselines.export.evaluation import device_half, summarise
from baselines.export.exits import NEVER, choose_threshold, exits
from baselines.export.quantise import CALIBRATION_PICTURES, to_int8
from baselines.networks.blocks import precision
from baselines.networks.chain import chain_model
from baselines.networks.folding import assign, fold
from baselines.schemes.hierarchical.recipe import HierarchicalRecipe
from baselines.training import backend
from baselines.training.adapted import check_adapt, obtain_adapted
from baselines.training.going_on import start_device
from baselines.training.handover import hand_over
from baselines.training.interface import Report, TrainOptions
from baselines.training.loop import Run, added, train
from baselines.training.pictures import training_data
from baselines.training.reference import cached, obtain
from baselines.training.supervised import Samples, SupervisedJob, accuracy, logits_of, picture_shape
from harness.contracts.description import SERVER, DeviceDescription
from harness.contracts.paths import weights_dir
from harness.contracts.scheme import Scheme


def train_hierarchical(scheme: Scheme, recipe: HierarchicalRecipe, options: TrainOptions, report: Report) -> Path:
    """Train the local network, choose the threshold on validation, write the artefact and return its folder."""
    data = training_data(options, recipe)
    check_adapt(recipe.adapt, recipe.reference, data)
    out = options.out or weights_dir() / f"{options.dataset}-{options.profile}" / scheme.name
    work = work_folder(scheme.name, recipe, data)
    reference = obtain(recipe.reference, data, report, resume=options.resume)
    backend.set_seed(recipe.seed)
    samples = Samples.by(recipe, data)
    shape = picture_shape(recipe, data)
    with precision(recipe.precision):
        model = chain_model(shape, data.classes, blocks=recipe.blocks, folded=False)
    if recipe.go_on_from:
        untrained = chain_model(shape, data.classes, blocks=recipe.blocks, folded=True)
        start_device(model, untrained, recipe, data, samples, report)
    distil = recipe.distillation
    guide: dict[str, Any] = {}
    if distil.weight > 0 and recipe.epochs:
        guide = {"teacher": reference.model}
        if distil.once:
            guide = {"teacher_logits": logits_of(reference.model, samples)}
    job = SupervisedJob(
        model,
        samples,
        recipe=recipe,
        **guide,
        distil=distil.weight,
        distil_temperature=distil.temperature,
    )
    run = Run.by(recipe, title=scheme.title, folder=work, samples=len(samples))
    figures = train(job, run, report, resume=options.resume)
    if not options.export:
        return hand_over(report, work, cached(recipe.reference, data))
    folded = chain_model(shape, data.classes, blocks=recipe.blocks, folded=True)
    assign(folded, fold(model))
    graph = to_int8(folded, samples.first(CALIBRATION_PICTURES))
    description = DeviceDescription(
        scheme=scheme.name,
        dataset=options.dataset,
        profile=options.profile,
        classes=data.classes,
        input_shape=shape,
        scale_pictures=bool(recipe.input_size),
        graph=True,
        offload="image",
        features_output=-1,
        local_logits_output=0,
        channels=3,
        n_symbols=256,
        symbol_table=list(range(256)),
        codec=recipe.codec,
        jpeg_quality=recipe.jpeg_quality,
        jpeg_chroma=recipe.jpeg_chroma,
        alpha=0.0,
        exit_threshold=NEVER,
    )
    server = reference.path
    if recipe.adapt.epochs:
        jpeg = {"quality": recipe.jpeg_quality, "chroma": recipe.jpeg_chroma}
        adapted = obtain_adapted(reference, recipe.reference, recipe.adapt, data, report, **jpeg, resume=options.resume)
        server, figures = adapted.path, figures | added(figures, adapted.figures)
    write_bytes(out / SERVER, server.read_bytes())
    write_artefact(out, description, graph=graph, recipe=recipe, history=work / run.log_name)
    symbols, local = device_half(description, graph, samples.x_validation)
    if symbols is None or local is None:
        raise AssertionError("the device has the picture and its own logits")
    y, threshold = samples.y_validation, recipe.threshold
    if threshold == "validation":
        threshold = choose_threshold(local, scheme.server(out).infer_batch(symbols), y, recipe.threshold_loss)
    chosen = description.model_copy(update={"exit_threshold": threshold})
    write_artefact(out, chosen, graph=graph, recipe=recipe, history=work / run.log_name)
    more = {
        "validation_float": job.evaluate(),
        "threshold": threshold,
        "validation_exited": round(float(exits(local, threshold).mean()), 5),
        "validation_local_int8": round(accuracy(local, y), 5),
    }
    summarise(scheme, out, data, recipe.validation, training=figures, more=more)
    return out
