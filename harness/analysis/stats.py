"""Computes medians, their intervals, percentiles and outliers. Each function says when it can not answer, by None.

Two sets against each other (slower, faster, undecided): `harness.analysis.differences`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_RESAMPLES = 4000
_BEYOND = 5  # values that must lie beyond a percentile before it is told
_MAD_TO_SIGMA = 0.6745
_OUTLIER = 3.5  # Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993


@dataclass(frozen=True)
class Interval:
    """Holds a median or a mean with its bootstrap interval; `low` and `high` are None when n is too small for one."""

    middle: float
    low: float | None
    high: float | None
    n: int

    @property
    def width_share(self) -> float | None:
        """Return the width of the interval as a share of the median; None where there is no interval, or the median is
        0.
        """
        if self.low is None or self.high is None or not self.middle:
            return None
        return (self.high - self.low) / abs(self.middle)

    @property
    def median(self) -> float:
        """Return the middle, for who asked for a median."""
        return self.middle


def median(values: Sequence[float]) -> float | None:
    """Return the median, None of nothing."""
    return float(np.median(values)) if len(values) else None


def mean(values: Sequence[float]) -> float | None:
    """Return the arithmetic mean, None of nothing."""
    return float(np.mean(values)) if len(values) else None


def median_interval(values: Sequence[float], *, level: float = 0.95, seed: int = 0) -> Interval | None:
    """Return the median and its percentile-bootstrap interval (Efron 1979) over `values`, one value a picture.

    None of nothing; no interval under five values, where a resampled median says little. Deterministic for a seed.
    """
    return _interval(np.median, values, level, seed)


def mean_interval(values: Sequence[float], *, level: float = 0.95, seed: int = 0) -> Interval | None:
    """Return what `median_interval` does, of the mean: for what is rare and dear, such as a lost packet, which no
    median shows.
    """
    return _interval(np.mean, values, level, seed)


def weighted_interval(
    left: Sequence[float], rest: Sequence[float], share: float, *, level: float = 0.95, seed: int = 0
) -> Interval | None:
    """Return what `mean_interval` does, of two kinds of which the first has this share of the whole: each is drawn by
    itself.

    None where either kind is empty.
    """
    one, other = (mean_interval(values, level=level, seed=seed) for values in (left, rest))
    if one is None or other is None:
        return None
    middle, n = share * one.middle + (1 - share) * other.middle, one.n + other.n
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Interval(middle, None, None, n)
    # Kinds are independent: their half widths add as squares.
    low = math.hypot(share * (one.middle - one.low), (1 - share) * (other.middle - other.low))
    high = math.hypot(share * (one.high - one.middle), (1 - share) * (other.high - other.middle))
    return Interval(middle, middle - low, middle + high, n)


def _interval(of: Callable[..., Any], values: Sequence[float], level: float, seed: int) -> Interval | None:
    n = len(values)
    if not n:
        return None
    middle = float(of(values))
    if n < 5:
        return Interval(middle, None, None, n)
    rng = np.random.default_rng(seed)
    drawn = of(np.asarray(values, dtype=float)[rng.integers(0, n, (_RESAMPLES, n))], axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(middle, float(low), float(high), n)


def percentile(values: Sequence[float], q: float) -> float | None:
    """Return the q-th percentile (0 < q < 100), None unless at least five values can be expected beyond it."""
    share = min(q, 100 - q) / 100
    if len(values) * share < _BEYOND:
        return None
    return float(np.percentile(values, q))


def outliers(values: Sequence[float]) -> list[int]:
    """Return the indices whose modified z-score on the median absolute deviation is over 3.5. They are to be warned of,
    never dropped.
    """
    if len(values) < 5:
        return []
    data = np.asarray(values, dtype=float)
    away = np.abs(data - np.median(data))
    spread = float(np.median(away))
    if spread == 0.0:
        return []  # more than half are equal: the score is not defined
    return [int(i) for i in np.flatnonzero(_MAD_TO_SIGMA * away / spread > _OUTLIER)]


def share_interval(right: int, n: int, *, z: float = 1.959964) -> tuple[float, float] | None:
    """Return the Wilson interval of a share (an accuracy); None for n = 0."""
    if n <= 0:
        return None
    p = right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    return max(0.0, centre - half), min(1.0, centre + half)


def share_error(share: float, n: float) -> float:
    """Return the standard error of a share of n, never 0: Laplace's rule for shares of 0 or 1."""
    p = (share * n + 1) / (n + 2)
    return math.sqrt(p * (1 - p) / n)
