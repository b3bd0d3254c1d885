"""What a scheme's `train` gets from the way in. The harness has the implementations."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class TrainOptions(Protocol):
    """Settings of one training run as the user gave them; None = the recipe's."""

    dataset: str
    profile: str
    epochs: int | None
    seed: int | None
    out: Path | None
    data_dir: Path | None
    resume: bool
    recipe: Path | None
    preset: str | None
    overrides: dict[str, str]
    export: bool  # False: train only, and leave the export to a later call with `resume` on TensorFlow


class Report(Protocol):
    """Where progress goes: a bar on a terminal, nothing in a test."""

    def begin(self, title: str, epochs: int, steps: int, first_epoch: int) -> None:
        """A phase begins (`first_epoch` > 0 when resumed)."""

    def step(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        """A step is done; `metrics` is empty when nothing new was read back."""

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """An epoch is done, with its training means and validation figures."""

    def message(self, text: str) -> None:
        """One line for the reader."""


class Silent:
    """A report that nobody reads."""

    def begin(self, title: str, epochs: int, steps: int, first_epoch: int) -> None:
        pass

    def step(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        pass

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        pass

    def message(self, text: str) -> None:
        pass
