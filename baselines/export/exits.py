"""Decides early exits: repeats what the device's exit test decides, and chooses the threshold on validation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from baselines.data import Labels

Floats = npt.NDArray[np.float32]
NEVER = 2.0
GRID = [round(0.30 + 0.01 * i, 2) for i in range(71)]  # 0.30 .. 1.00


def top_probability(logits: Floats) -> Floats:
    """Return the softmax probability of the largest logit: [n, classes] -> [n]. The device's own code is in
    core/combine.c.
    """
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    top: Floats = (1.0 / exponentials.sum(axis=-1)).astype(np.float32)
    return top


def exits(logits: Floats, threshold: float) -> npt.NDArray[np.bool_]:
    """Say which samples leave early: [n]. A threshold above 1 lets none leave."""
    if threshold > 1.0:
        return np.zeros(len(logits), dtype=np.bool_)
    left: npt.NDArray[np.bool_] = top_probability(logits) >= np.float32(threshold)
    return left


def choose_threshold(local: Floats, remote: Floats, labels: Labels, loss: float) -> float:
    """Return the lowest of 0.30, 0.31 ... 1.00 down to which accuracy stays within `loss` of sending everything.

    The search goes from above, so that it does not take one lucky threshold below a bad one. It returns NEVER where
    even 1.00 loses more.

    Args:
        local, remote: logits of validation samples [n, classes], as the device and the server will give them.
        loss: share of validation samples in 0..1.
    """
    local_right, remote_right = (np.argmax(logits, axis=-1) == labels for logits in (local, remote))
    top = top_probability(local)
    chosen = NEVER
    for threshold in reversed(GRID):
        accuracy = np.mean(np.where(top >= np.float32(threshold), local_right, remote_right))
        if accuracy < np.mean(remote_right) - loss:
            break
        chosen = threshold
    return chosen
