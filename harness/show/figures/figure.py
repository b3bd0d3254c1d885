"""Defines what a figure is, and what all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from harness.analysis.datum import Datum
from harness.analysis.material import Material


class Missing(Exception):
    """Says in one line what a figure can't be drawn for want of."""


class Figure(ABC):
    """Defines one figure for one data set."""

    name: str  # of the file
    title: str
    paper: str  # its number in the paper, empty for one of our own
    alt: str  # what a reader who can't see it should know it shows

    @abstractmethod
    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Write `out`.png, .pdf and .svg.

        Raises:
            Missing: what it needs is not there.
        """


def pick_scheme(data: Sequence[Datum], scheme: str) -> list[Datum]:
    """Return the values of one scheme."""
    return [d for d in data if d.scheme == scheme]
