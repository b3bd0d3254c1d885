"""Defines what a scheme offers to a search for its device network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np


class SearchSpace(Protocol):
    """Holds the networks that may be chosen from. A candidate is a text that tells all of it and names it in tables.

    Made for one data set and one budget of training by `Scheme.search_space`; `key` identifies everything beyond the
    candidate that its accuracy depends on.
    """

    key: str

    def first(self) -> str:
        """Return the candidate that is shipped, which is tried before all others."""

    def sample(self, rng: np.random.Generator) -> str:
        """Return any candidate."""

    def drawn(self, choose: Callable[[str, tuple[Any, ...]], Any]) -> str:
        """Return the candidate that follows from choices: `choose(name, options)` gives one of them. A name always has
        the same options.
        """

    def mutate(self, candidate: str, rng: np.random.Generator) -> str:
        """Return a neighbour of `candidate`."""

    def graph(self, candidate: str) -> bytes:
        """Return the candidate's device half untrained, as an int8 .tflite: what it costs does not depend on the
        weights.
        """

    def accuracy(self, candidate: str) -> float:
        """Return the accuracy on validation (0..1) after the budget's training. Raises BenchError when training
        fails.
        """

    def recipe_words(self, candidate: str) -> list[str]:
        """Return the command-line words that have `harness.train` train the candidate for good."""
