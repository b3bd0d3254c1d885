"""Starts a training from a folder of exported weights: what schemes with one network on the device share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from baselines.data import DataSet
from baselines.export.dequantise import folded_weights
from baselines.networks.folding import Weights, unfold_weights
from baselines.networks.quiet import has_tensorflow
from baselines.recipes.files import place
from baselines.recipes.recipe import SchemeRecipe
from baselines.training.augment import to_unit
from baselines.training.interface import Report
from baselines.training.supervised import Samples, picture_shape
from harness.contracts.description import GRAPH, DeviceDescription, load_description
from harness.contracts.errors import BenchError

START_SAMPLES = 512  # training pictures that a network's first statistics are taken on


def exported(recipe: SchemeRecipe, data: DataSet, report: Report) -> tuple[Path, DeviceDescription]:
    """Return the folder that the recipe goes on from, and its description.

    Raises:
        BenchError: there are no weights, or they are of other pictures or classes; or TensorFlow is missing, which
            reads them.
    """
    if not has_tensorflow():
        raise BenchError("reading exported weights needs TensorFlow", cure="install it, or set go_on_from = ''")
    folder = place(recipe.go_on_from, data.name)
    description = load_description(folder)
    wanted = {"dataset": data.name, "classes": data.classes, "input_shape": picture_shape(recipe, data)}
    for name, value in wanted.items():
        if (theirs := getattr(description, name)) != value:
            raise BenchError(
                f"{folder} has {name} {theirs}, the recipe {value}", cure="name other weights by go_on_from"
            )
    report.message(f"going on from the weights in {folder}")
    return folder, description


def start_device(
    model: Any, folded: Any, recipe: SchemeRecipe, data: DataSet, samples: Samples, report: Report
) -> None:
    """Start the unfolded `model` as the device's graph in the folder; `folded` is its folded twin, whose weights do not
    matter.

    Raises:
        BenchError: `exported` raises it, or the graph is of another network.
    """
    folder, _ = exported(recipe, data, report)
    start_by(model, folded_weights((folder / GRAPH).read_bytes(), folded), samples)


def start_by(model: Any, weights: Weights, samples: Samples) -> None:
    """Start the unfolded `model`, which takes pictures, by folded `weights`."""
    unfold_weights(model, weights, to_unit(samples.first(START_SAMPLES)))
