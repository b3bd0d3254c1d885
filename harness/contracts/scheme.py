"""Defines a scheme: one way to split a network between device and edge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import BenchError
from harness.contracts.search import SearchSpace
from harness.contracts.training import Report, TrainOptions


class ServerModel(Protocol):
    """Runs the remote half of a scheme."""

    classes: int
    symbols: int  # symbols of one payload

    def warm_up(self) -> None:
        """Run until the service time is that of every later call (graph traced, buffers allocated)."""

    def infer(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the logits of one sample: uint8 [symbols] -> float32 [classes]."""

    def infer_batch(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the logits of many samples: uint8 [n, symbols] -> float32 [n, classes]."""


class Scheme(ABC):
    """Defines one scheme; it is found by name through the entry point group `agilenn_bench.schemes`."""

    name: str
    title: str  # as tables and plots show it
    version: int = (
        1  # raised when the same weights would answer otherwise: samples of another version are other samples
    )

    @abstractmethod
    def train(self, options: TrainOptions, report: Report) -> Path:
        """Train by `options`, export the artefact and return its folder.

        Raises:
            BenchError: the data set can't be had, or a setting is wrong, before anything takes time.
        """

    def search_space(self, options: TrainOptions, report: Report) -> SearchSpace | None:
        """Return the device networks to choose from, each trained by `options`; None where this scheme has one
        network.
        """
        return None

    def splits(self, artefact: Path) -> list[int]:
        """Return where its network may be cut between device and server, ascending; nothing where this scheme has no
        such choice.
        """
        return []

    def at_split(self, artefact: Path, split: int, folder: Path) -> Path:
        """Write the artefact of another split of the same training into `folder` and return it.

        Raises:
            BenchError: there is no such split.
        """
        raise BenchError(f"{self.name} has no split {split}", cure="choose another scheme")

    @abstractmethod
    def server(self, artefact: Path) -> ServerModel:
        """Load the remote half. Raises BenchError when the weights can't be read or are of another network."""
