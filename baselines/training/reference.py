"""Provides the reference network: trained once per recipe, kept in the cache, or a user's own file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from baselines.data import DataSet
from baselines.networks.folding import assign, fold
from baselines.networks.store import NetworkSpec, load_network, save_network
from baselines.recipes.files import place
from baselines.recipes.hashing import recipe_hash
from baselines.recipes.recipe import ReferenceRecipe
from baselines.training.alone import alone
from baselines.training.interface import Report
from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir, data_dir


class Reference(NamedTuple):
    """Holds the frozen reference network.

    `model` turns a picture in 0..1 into logits; `figures` are those of its training.
    """

    path: Path
    spec: NetworkSpec
    model: Any
    figures: dict[str, Any]
    history: Path | None


def picture_spec(recipe: ReferenceRecipe, data: DataSet) -> NetworkSpec:
    """Return what network the recipe asks for on this data set."""
    size = recipe.input_size
    height, width = (size, size) if size else (int(n) for n in data.x_train.shape[1:3])
    return NetworkSpec(f"{recipe.network}_picture", (height, width, 3), data.classes, recipe.widths)


def cached(recipe: ReferenceRecipe, data: DataSet) -> Path:
    """Return the cache folder of the reference network that `recipe` trains."""
    return cache_dir() / "training" / f"reference-{recipe_hash(recipe, data=data.checksum)}"


def obtain(recipe: ReferenceRecipe, data: DataSet, report: Report, *, resume: bool) -> Reference:
    """Return the reference network of `recipe`: from its file, from the cache, or trained now (and cached).

    Raises:
        BenchError: the file is missing, damaged or of another network; or training failed.
    """
    spec = picture_spec(recipe, data)
    if recipe.file:
        path = place(recipe.file, data.name)
        _, model = load_network(path, expect=spec)
        return Reference(path, spec, model, {}, None)
    folder = cached(recipe, data)
    path, figures_path = folder / "reference.npz", folder / "figures.json"
    if not path.exists():
        with alone(folder):  # another process that needs it too waits, and finds it
            if not path.exists():
                figures = _train(recipe, spec, data, folder, report, resume=resume)
                figures_path.write_text(json.dumps(figures), encoding="utf-8")
    _, model = load_network(path, expect=spec)
    return Reference(
        path,
        spec,
        model,
        reading.json_of(figures_path, "remove its folder: it is trained anew"),
        folder / "history.csv",
    )


def _train(
    recipe: ReferenceRecipe, spec: NetworkSpec, data: DataSet, folder: Path, report: Report, *, resume: bool
) -> dict[str, Any]:
    from baselines.networks.blocks import precision  # noqa: PLC0415 - a cached network needs no training code
    from baselines.training import backend  # noqa: PLC0415
    from baselines.training.loop import Run, train  # noqa: PLC0415
    from baselines.training.supervised import Samples, SupervisedJob  # noqa: PLC0415

    backend.set_seed(recipe.seed)
    samples = Samples.by(recipe, data)
    with precision(recipe.precision):
        model = starting_network(recipe, spec, samples)
    job = SupervisedJob(model, samples, recipe=recipe, mixup=recipe.mixup)
    run = Run.by(recipe, title="reference network", folder=folder, samples=len(samples))
    figures = train(job, run, report, resume=resume)
    save_network(folder / "reference.npz", spec, fold(model))
    return figures


def starting_network(recipe: ReferenceRecipe, spec: NetworkSpec, samples: Any) -> Any:
    """Return the network as its training begins.

    Raises:
        BenchError: `pretrained`, `normalisation` or `frozen` do not go with the network.
    """
    from baselines.pretrained import lite0  # noqa: PLC0415

    if recipe.pretrained != "imagenet" and recipe.normalisation == "folded":
        raise BenchError(
            "normalisation = folded needs statistics to start from",
            cure="set pretrained = imagenet, or normalisation = batch",
        )
    if recipe.pretrained != "imagenet" and recipe.frozen != "nothing":
        raise BenchError("frozen = stem needs a trained stem", cure="set pretrained = imagenet, or frozen = nothing")
    if recipe.pretrained == "none":
        return spec.build(folded=False)
    if recipe.network not in ("lite0", "lite0_64") or recipe.widths != lite0.WIDTHS:
        raise BenchError(
            "pretrained = imagenet needs the published network",
            cure=f'set network = "lite0" or "lite0_64" and widths = {list(lite0.WIDTHS)}, or pretrained = none',
        )
    model = spec.build(folded=False)
    weights = lite0.starting_weights(lite0.obtain(data_dir()), model, samples.first(lite0.STATISTICS_PICTURES))
    if recipe.normalisation == "folded":
        model = spec.build(folded=True)
        assign(model, weights)
    if recipe.frozen == "stem":
        for layer in model.layers:
            layer.trainable = not layer.name.startswith("stem_")
    return model
