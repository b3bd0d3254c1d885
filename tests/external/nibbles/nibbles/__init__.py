"""Nibbles: three convolutions on the device, 4 bits a feature, a small network on the server.

It is a whole scheme of its own; docs/own-scheme.md walks through it.
"""

from __future__ import annotations

from pathlib import Path

from baselines.networks.quiet import start_training
from baselines.recipes.loading import recipe_for
from baselines.recipes.recipe import Recipe, Widths
from harness.contracts.description import SERVER, load_description
from harness.contracts.scheme import Scheme, ServerModel
from harness.contracts.training import Report, TrainOptions

STRIDE = 4  # of the whole encoder: a picture of 32x32 becomes a map of 8x8


class NibblesRecipe(Recipe):
    """Adds the widths of both networks to what every training has."""

    encoder: tuple[int, int] = (16, 24)
    server: Widths = (32, 64, 128)


class Nibbles(Scheme):
    """Sends 8x8x4 features of 4 bits each, for pictures of 32x32."""

    name = "nibbles"
    title = "Nibbles"

    def train(self, options: TrainOptions, report: Report) -> Path:
        """Train by the recipe beside this file, or the user's, and write the artefact."""
        recipe = recipe_for(NibblesRecipe, self.name, options, folder=Path(__file__).parent)
        start_training(2)
        from nibbles.training import train_nibbles  # noqa: PLC0415 - imports TensorFlow: after the recipe was checked

        return train_nibbles(self, recipe, options, report)

    def server(self, artefact: Path) -> ServerModel:
        """Return the server's network behind the values of the sixteen symbols."""
        from baselines.export.serving import load_server  # noqa: PLC0415

        d = load_description(artefact)
        shape = (d.input_shape[0] // STRIDE, d.input_shape[1] // STRIDE, d.channels)
        return load_server(artefact / SERVER, shape, d.classes, d.centroids)
