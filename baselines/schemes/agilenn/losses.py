"""Computes the skewness and disorder losses on feature importance (paper, equations 1 and 2, section 4.1)."""

from __future__ import annotations

from typing import Any

from keras import ops

EPSILON = 1e-9


def normalised(channels: Any) -> Any:
    """Turn channel importance [n, c] into shares that sum to 1 for each sample."""
    return channels / (ops.sum(channels, axis=-1, keepdims=True) + EPSILON)


def skewness(channels: Any, k: int) -> Any:
    """Return the share of the importance that lies in the first k channels: [n, c] -> [n]."""
    return ops.sum(normalised(channels)[:, :k], axis=-1)


def skewness_loss(channels: Any, k: int, rho: float) -> Any:
    """Return max(0, rho - skewness) for each sample: [n]."""
    return ops.relu(rho - skewness(channels, k))


def violations(channels: Any, k: int) -> Any:
    """Return 1.0 where some sent channel is more important than some local one, else 0.0: [n, c] -> [n]."""
    disordered = ops.max(channels[:, k:], axis=-1) > ops.min(channels[:, :k], axis=-1)
    return ops.cast(disordered, "float32")


def disorder_loss(importance: Any, k: int, form: str, margin: float = 0.0) -> Any:
    """Return how far the order is from "every local channel before every sent one", for each sample: [n].

    Args:
        importance: per element, [n, h, w, c].
        form: `channel` max(0, max I2 - min I1) on channel shares, as the paper has it; `element` the same on
            elements, over the total, as the public code has it; `descent` ||I - sorted(I)||^2 on channel shares.
        margin: share of importance by which the least local channel must lead, for `channel` and `element`.
    """
    channels = ops.sum(importance, axis=(1, 2))
    if form == "element":
        total = ops.sum(channels, axis=-1) + EPSILON
        largest = ops.max(importance[..., k:], axis=(1, 2, 3))
        smallest = ops.min(importance[..., :k], axis=(1, 2, 3))
        return ops.relu((largest - smallest) / total + margin)
    shares = normalised(channels)
    if form == "channel":
        return ops.relu(ops.max(shares[:, k:], axis=-1) - ops.min(shares[:, :k], axis=-1) + margin)
    if form == "descent":
        return ops.sum(ops.square(shares - ops.top_k(shares, shares.shape[-1])[0]), axis=-1)
    raise ValueError(f"unknown form of the disorder loss: {form}")


def mean_over(values: Any, mask: Any) -> Any:
    """Return the mean of `values` [n] where `mask` [n] is 1, or 0 where it never is."""
    return ops.sum(values * mask) / ops.maximum(ops.sum(mask), 1.0)
