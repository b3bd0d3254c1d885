"""Defines partition as a scheme."""

from __future__ import annotations

from pathlib import Path

from baselines.networks.quiet import start_training
from baselines.recipes.loading import recipe_for
from baselines.schemes.partition.recipe import PartitionRecipe
from baselines.schemes.partition.splits import available, materialise
from baselines.training.interface import Report, TrainOptions
from harness.contracts.description import SERVER, load_description
from harness.contracts.scheme import Scheme, ServerModel


class Partition(Scheme):
    """Runs the first blocks on the device with an exit, and sends features of 8 bits to the server's blocks (SPINN)."""

    name = "partition"
    title = "Partition (SPINN)"

    def train(self, options: TrainOptions, report: Report) -> Path:
        """Train by the recipe and write the artefact."""
        recipe = recipe_for(PartitionRecipe, self.name, options)
        start_training(2)
        from baselines.schemes.partition.training import train_partition  # noqa: PLC0415 - after the recipe was checked

        return train_partition(self, recipe, options, report)

    def splits(self, artefact: Path) -> list[int]:
        """Return those that the training exported."""
        return available(artefact)

    def at_split(self, artefact: Path, split: int, folder: Path) -> Path:
        """Copy the split: nothing is trained."""
        return materialise(artefact, split, folder)

    def server(self, artefact: Path) -> ServerModel:
        """Return the blocks after the split."""
        from baselines.schemes.partition.serving import load_tail  # noqa: PLC0415

        d = load_description(artefact)
        return load_tail(artefact / SERVER, d.split, d.classes, d.centroids)
