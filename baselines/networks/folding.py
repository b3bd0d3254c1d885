"""Fold batch normalisation into the convolution before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Weights = dict[str, npt.NDArray[np.float32]]


def fold(model: Any) -> Weights:
    """The weights of `model` for its folded twin, as `layer/kernel` and `layer/bias` float32 arrays.

    Convolutions are `n_conv` or `n_depth`, followed by `n_bn` (see `blocks`): y = gamma (conv(x) - mean) / sd + beta.
    """
    layers = {layer.name: layer for layer in model.layers}
    weights: Weights = {}
    for name, layer in layers.items():
        stem, _, kind = name.rpartition("_")
        if kind not in ("conv", "depth", "dense"):
            continue
        kernel = np.asarray(layer.get_weights()[0], dtype=np.float64)
        bn = layers.get(f"{stem}_bn") if kind != "dense" else None
        if bn is None:
            bias = np.asarray(layer.get_weights()[1], dtype=np.float64)
        else:
            gamma, beta, mean, variance = (np.asarray(w, dtype=np.float64) for w in bn.get_weights())
            scale = gamma / np.sqrt(variance + bn.epsilon)
            # Depthwise kernels are [h, w, c, 1], others [h, w, in, out].
            kernel = kernel * (scale[:, None] if kind == "depth" else scale)
            bias = beta - mean * scale
        weights[f"{name}/kernel"] = kernel.astype(np.float32)
        weights[f"{name}/bias"] = bias.astype(np.float32)
    return weights


def assign(model: Any, weights: Weights) -> None:
    """Put folded `weights` into the folded network `model`.

    Raises:
        ValueError: an array is missing, left over, of another shape or not finite.
    """
    wanted: dict[str, Any] = {}
    for layer in model.layers:
        if layer.weights:
            wanted[f"{layer.name}/kernel"], wanted[f"{layer.name}/bias"] = layer.weights
    if missing := sorted(wanted.keys() ^ weights.keys()):
        raise ValueError(f"arrays do not match the network, first: {missing[0]}")
    for name, variable in wanted.items():
        value = np.asarray(weights[name], dtype=np.float32)
        if tuple(value.shape) != tuple(variable.shape):
            raise ValueError(f"{name} has shape {value.shape}, the network wants {tuple(variable.shape)}")
        if not np.isfinite(value).all():
            raise ValueError(f"{name} holds values that are not finite")
        variable.assign(value)
