"""Computes scores from results, as the benchmark defines them; each says when it can't answer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def top1(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> float:
    """Return the share of rows of `scores` [n, classes] whose largest entry is at `labels` [n]; the first one wins a
    tie.

    Raises:
        ValueError: no rows, or shapes that don't fit.
    """
    if scores.ndim != 2 or len(scores) == 0 or len(scores) != len(labels):
        raise ValueError(f"scores {scores.shape} and labels {labels.shape} give no accuracy")
    return float(np.mean(np.argmax(scores, axis=1) == labels))


def auc(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> float | None:
    """Return the area under the ROC curve, one class against the rest, as a mean over the classes that have both kinds.

    By ranks (Mann and Whitney 1947), ties counted half. None when no class has both kinds.
    """
    areas = []
    for k in range(scores.shape[1]):
        positive = labels == k
        n_positive, n_negative = int(positive.sum()), int((~positive).sum())
        if n_positive and n_negative:
            rank_sum = float(_midranks(scores[:, k])[positive].sum())
            areas.append((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))
    return float(np.mean(areas)) if areas else None


def _midranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: npt.NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return ranks
