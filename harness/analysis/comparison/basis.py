"""Says what a verdict stands on: what was held equal, of how many pictures and seeds, at what cost; and what its chance
error leaves undecided.

A difference of less than two standard errors decides nothing. Two accuracies over the same pictures are compared
picture by picture where a run kept the answers, else as independent shares, which takes the error for larger than it
is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.analysis.cells import Accuracy
from harness.analysis.stats import share_error
from harness.runs.answers import unpacked

ERRORS = 2.0  # standard errors that a difference must reach


@dataclass(frozen=True)
class Basis:
    """Holds, as texts for a table, what a comparison stands on."""

    equal: str = "nothing"  # held equal at, such as bytes or skewness
    n: str = "–"
    seeds: str = "–"
    budget: str = "–"

    @property
    def text(self) -> str:
        """Return all in one cell."""
        seeds = f"{self.seeds} seed{'' if self.seeds == '1' else 's'}" if self.seeds != "–" else ""
        return "; ".join(part for part in (f"equal: {self.equal}", _n(self.n), seeds, _known(self.budget)) if part)


def _n(text: str) -> str:
    return f"n {text}" if text != "–" else ""


def _known(text: str) -> str:
    return text if text != "–" else ""


def accuracy_difference(one: Accuracy, other: Accuracy) -> tuple[float, float, bool]:
    """Return `one` less `other` (0..1), its standard error, and whether it was taken picture by picture.

    Both are of one test set, whose order their answers have.
    """
    apart = one.share - other.share
    if one.answers is None or other.answers is None or one.n != other.n:
        return apart, math.hypot(share_error(one.share, one.n), share_error(other.share, other.n)), False
    first, second = unpacked(one.answers, one.n), unpacked(other.answers, other.n)
    differ = int(np.sum(first != second))
    # McNemar: only pictures on which the two differ say anything of the difference.
    return apart, math.sqrt(max(1.0, differ - one.n * apart**2)) / one.n, True


def reaches(value: float, limit: float, error: float) -> bool | None:
    """Say whether `value` is at least `limit`; None where it is nearer to it than two standard errors."""
    if abs(value - limit) < ERRORS * error:
        return None
    return value >= limit


def all_of(parts: list[bool | None]) -> bool | None:
    """Return False where one is, else None where one is undecided, else True."""
    if False in parts:
        return False
    return None if None in parts else True
