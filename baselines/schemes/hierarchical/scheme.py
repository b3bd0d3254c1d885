"""Defines hierarchical inference as a scheme."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from baselines.networks.quiet import start_training
from baselines.recipes.loading import recipe_for
from baselines.schemes.hierarchical.recipe import HierarchicalRecipe
from baselines.training.interface import Report, TrainOptions
from harness.contracts.description import SERVER, load_description
from harness.contracts.scheme import Scheme, ServerModel


class Hierarchical(Scheme):
    """Sends what a tiny local network is unsure of to the reference network, as it is (HI, arXiv 2407.11061)."""

    name = "hierarchical"
    title = "Hierarchical"

    def train(self, options: TrainOptions, report: Report) -> Path:
        """Train by the recipe and write the artefact."""
        recipe = recipe_for(HierarchicalRecipe, self.name, options)
        start_training(2)
        from baselines.schemes.hierarchical.training import train_hierarchical  # noqa: PLC0415 - after the recipe was checked

        return train_hierarchical(self, recipe, options, report)

    def server(self, artefact: Path) -> ServerModel:
        """Return the reference network behind symbols that are the picture's bytes."""
        from baselines.export.serving import load_server  # noqa: PLC0415

        d = load_description(artefact)
        return load_server(artefact / SERVER, d.input_shape, d.classes, (np.arange(256) / 255.0).tolist())
