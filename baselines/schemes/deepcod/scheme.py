"""Defines DeepCOD as a scheme."""

from __future__ import annotations

from pathlib import Path

from baselines.networks.quiet import start_training
from baselines.recipes.loading import recipe_for
from baselines.schemes.deepcod.recipe import DeepCODRecipe
from baselines.training.interface import Report, TrainOptions
from harness.contracts.description import SERVER, load_description
from harness.contracts.scheme import Scheme, ServerModel


class DeepCOD(Scheme):
    """Runs one convolution and eight centres on the device; a decoder and the reference network on the server."""

    name = "deepcod"
    title = "DeepCOD"

    def train(self, options: TrainOptions, report: Report) -> Path:
        """Train by the recipe and write the artefact."""
        recipe = recipe_for(DeepCODRecipe, self.name, options)
        start_training(2)
        from baselines.schemes.deepcod.training import train_deepcod  # noqa: PLC0415 - after the recipe was checked

        return train_deepcod(self, recipe, options, report)

    def server(self, artefact: Path) -> ServerModel:
        """Return decoder and reference network behind the centres."""
        from baselines.export.serving import load_server  # noqa: PLC0415

        d = load_description(artefact)
        shape = (d.input_shape[0] // 4, d.input_shape[1] // 4, d.channels)
        return load_server(artefact / SERVER, shape, d.classes, d.centroids)
