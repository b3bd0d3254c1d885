"""Compares two sets of samples: a bootstrap interval of the difference of their medians, and a verdict.

"Slower" is said only when both hold: the interval of the difference excludes 0 (it is no accident), and the difference
is at least the smallest effect that matters (it is no trifle). With many samples a difference of a microsecond is
significant; that alone is no news.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

_RESAMPLES = 4000
LEAST = 5  # samples a side under which nothing is told
Verdict = Literal["higher", "lower", "same", "trifling", "undecided", "n too small"]


@dataclass(frozen=True)
class Difference:
    """Holds `other` less `base`, in the unit of the values; `low` and `high` are None when n is too small.

    Paired (the same images on both sides): the median of the differences image by image, so that what makes one image
    slower than another takes no part. Unpaired: the difference of the medians.
    """

    base: float
    other: float
    difference: float
    low: float | None
    high: float | None
    n: int  # pairs, or the smaller side
    paired: bool

    @property
    def share(self) -> float | None:
        """Return the difference as a share of the base's median; None where that is 0."""
        return self.difference / abs(self.base) if self.base else None

    @property
    def significant(self) -> bool:
        """Say whether the interval excludes 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def verdict(self, minimum_share: float) -> Verdict:
        """Return what may be said of `other`, when less than `minimum_share` of the base's median does not matter.

        higher, lower: the difference is no accident, and as estimated it is at least the minimum effect.
        trifling: no accident, but smaller than the minimum effect. same: the whole interval lies within the minimum
        effect. undecided: the interval holds both 0 and differences that would matter. n too small: fewer than five.
        """
        if self.low is None or self.high is None:
            return "n too small"
        least = minimum_share * abs(self.base)
        if self.significant:
            if abs(self.difference) >= least and self.difference:
                return "higher" if self.difference > 0 else "lower"
            return "trifling"
        return "same" if max(abs(self.low), abs(self.high)) <= least else "undecided"


def median_difference(
    base: Sequence[float], other: Sequence[float], *, level: float = 0.95, seed: int = 0
) -> Difference | None:
    """Return the difference of two medians, unpaired, with its percentile-bootstrap interval (Efron 1979); None of
    nothing.

    Each side is resampled by itself. Deterministic for a seed.
    """
    if not len(base) or not len(other):
        return None
    first, second = np.asarray(base, dtype=float), np.asarray(other, dtype=float)
    middles = float(np.median(first)), float(np.median(second))
    n = min(len(first), len(second))
    low: float | None = None
    high: float | None = None
    if n >= LEAST:
        rng = np.random.default_rng(seed)
        low, high = _interval(_medians(rng, second) - _medians(rng, first), level)
    return Difference(*middles, middles[1] - middles[0], low, high, n, paired=False)


def paired_difference(
    base: Mapping[int, float], other: Mapping[int, float], *, level: float = 0.95, seed: int = 0
) -> Difference | None:
    """Return the median of the differences picture by picture over the pictures that both have, with its bootstrap
    interval.

    Args:
        base, other: value by image. None when they share no image.
    """
    shared = sorted(base.keys() & other.keys())
    if not shared:
        return None
    first = np.array([base[image] for image in shared], dtype=float)
    second = np.array([other[image] for image in shared], dtype=float)
    apart = second - first
    low: float | None = None
    high: float | None = None
    if len(shared) >= LEAST:
        low, high = _interval(_medians(np.random.default_rng(seed), apart), level)
    middle = float(np.median(apart))
    return Difference(float(np.median(first)), float(np.median(second)), middle, low, high, len(shared), paired=True)


def _medians(rng: np.random.Generator, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    n = len(values)
    if n * _RESAMPLES <= 4_000_000:
        return np.asarray(np.median(values[rng.integers(0, n, (_RESAMPLES, n))], axis=1))
    return np.array([np.median(values[rng.integers(0, n, n)]) for _ in range(_RESAMPLES)])  # not all at once in memory


def _interval(drawn: npt.NDArray[np.float64], level: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
