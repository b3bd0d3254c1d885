"""Chooses the k local channels before joint training (paper, section 4.3 and algorithm 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def appearance(channels: Floats, k: int) -> npt.NDArray[np.float64]:
    """Count how often each channel is among a sample's k most important: [n, c] -> relative frequency [c]."""
    top = np.argsort(-channels, axis=1, kind="stable")[:, :k]
    return np.bincount(top.ravel(), minlength=channels.shape[1]) / len(channels)


def channel_order(channels: Floats, k: int, method: str, seed: int = 0) -> npt.NDArray[np.int64]:
    """Return the order of the channels, the local ones first, for importances [n, c] of training samples.

    `topk_appearance` ranks by `appearance`, `global_importance` ranks by the mean share, `random` draws k by `seed`,
    and `none` keeps the order.
    """
    count = channels.shape[1]
    if method == "none":
        return np.arange(count)
    if method == "global_importance":
        score: npt.NDArray[Any] = (channels / np.maximum(channels.sum(axis=1, keepdims=True), 1e-9)).mean(axis=0)
    elif method == "topk_appearance":
        score = appearance(channels, k)
    elif method == "random":
        score = np.asarray(np.random.default_rng([seed, 5]).random(count))
    else:
        raise ValueError(f"unknown preselection {method}")
    chosen = np.argsort(-score, kind="stable")[:k]
    rest = np.setdiff1d(np.arange(count), chosen)
    return np.concatenate([chosen, rest])
