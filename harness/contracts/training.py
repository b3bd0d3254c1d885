"""Defines what a scheme's `train` gets from the way in: the user's settings, and where progress goes."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class TrainOptions(Protocol):
    """Holds the settings of one training as the user gave them; None means the recipe's."""

    @property
    def dataset(self) -> str:
        """Return the data set's name (--dataset)."""

    @property
    def profile(self) -> str:
        """Return the size of the networks (--profile)."""

    @property
    def epochs(self) -> int | None:
        """Return the number of epochs (--epochs); 0 exports untrained networks."""

    @property
    def seed(self) -> int | None:
        """Return the seed (--seed)."""

    @property
    def out(self) -> Path | None:
        """Return the folder for the weights (--out); None means `weights_dir()/DATASET-PROFILE/SCHEME`."""

    @property
    def data_dir(self) -> Path | None:
        """Return the folder of the data sets (--data-dir)."""

    @property
    def resume(self) -> bool:
        """Say whether to go on from the last checkpoint of the same recipe (--resume)."""

    @property
    def recipe(self) -> Path | None:
        """Return the recipe file instead of the shipped one (--recipe)."""

    @property
    def preset(self) -> str | None:
        """Return the name of settings laid over the recipe (--preset)."""

    @property
    def overrides(self) -> dict[str, str]:
        """Return dotted keys of the recipe with TOML values (--set)."""

    @property
    def export(self) -> bool:
        """Say whether to export; False trains only, and a later call with `resume` exports (--no-export)."""


class Report(Protocol):
    """Takes the progress of a training: it shows a bar on a terminal, and nothing in a test."""

    def begin(self, title: str, epochs: int, steps: int, first_epoch: int) -> None:
        """Note that a phase of `epochs` times `steps` begins; `first_epoch` > 0 when resumed."""

    def step(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        """Note that a step (from 1) of an epoch (from 1) is done; `metrics` is empty when nothing new was read back."""

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Note that an epoch is done, with its training means and validation figures."""

    def message(self, text: str) -> None:
        """Show one line to the reader."""
