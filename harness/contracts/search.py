"""What a scheme offers to a search for its device network."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class SearchSpace(Protocol):
    """The networks that may be chosen from. A candidate is a text that tells all of it and names it in tables.

    Made for one data set and one budget of training by `Scheme.search_space`; `key` identifies everything beyond the
    candidate that its accuracy depends on.
    """

    key: str

    def first(self) -> str:
        """The candidate that is shipped, tried before all others."""

    def sample(self, rng: np.random.Generator) -> str:
        """Any candidate."""

    def mutate(self, candidate: str, rng: np.random.Generator) -> str:
        """A neighbour of `candidate`."""

    def graph(self, candidate: str) -> bytes:
        """Its device half untrained, as an int8 .tflite: what it costs does not depend on the weights."""

    def accuracy(self, candidate: str) -> float:
        """Accuracy on validation (0..1) after the budget's training. Raises BenchError when training fails."""

    def recipe_words(self, candidate: str) -> list[str]:
        """Command-line words that have `harness.train` train it for good."""
