"""Defines AgileNN as a scheme."""

from __future__ import annotations

from pathlib import Path

from baselines.networks.quiet import start_training
from baselines.recipes.loading import recipe_for
from baselines.recipes.recipe import AgileNNRecipe
from baselines.schemes.agilenn.serving import load_remote
from baselines.training.interface import Report, TrainOptions
from harness.contracts.description import load_description
from harness.contracts.scheme import Scheme, ServerModel


class AgileNN(Scheme):
    """Judges k important channels on the device and sends the others quantised to the server; alpha combines both."""

    name = "agilenn"
    title = "AgileNN"
    recipe_name = "agilenn"  # a scheme derived from this one may go by its recipe

    def train(self, options: TrainOptions, report: Report) -> Path:
        """Train by the recipe and write the artefact."""
        recipe = recipe_for(AgileNNRecipe, self.recipe_name, options)
        start_training(2)
        from baselines.schemes.agilenn.training import train_agilenn  # noqa: PLC0415 - after a wrong recipe has been refused

        return train_agilenn(self, recipe, options, report)

    def server(self, artefact: Path) -> ServerModel:
        """Return the remote network behind the codebook."""
        d = load_description(artefact)
        return load_remote(artefact, d, feature_shape(artefact), d.centroids)


class AgileNNR(AgileNN):
    """Adds to AgileNN a loss on the bytes that are sent, and early exits: an extension of this bench, not published."""

    name = "agilenn_r"
    title = "AgileNN-R"
    recipe_name = "agilenn_r"


def feature_shape(artefact: Path) -> tuple[int, int]:
    """Return height and width of the feature map that the device graph gives."""
    from baselines.export.borders import output_shape  # noqa: PLC0415

    d = load_description(artefact)
    _, height, width, _ = output_shape((artefact / "device.tflite").read_bytes(), d.features_output)
    return height, width
