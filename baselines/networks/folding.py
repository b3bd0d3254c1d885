"""Folds batch normalisation into the convolution before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Weights = dict[str, npt.NDArray[np.float32]]


def fold(model: Any) -> Weights:
    """Return the weights of `model` for its folded twin, as `layer/kernel` and `layer/bias` float32 arrays.

    Layers are `n_conv`, `n_depth` or `n_dense`, with or without an `n_bn` behind them (see `blocks`):
    y = gamma (layer(x) - mean) / sd + beta.
    """
    layers = {layer.name: layer for layer in model.layers}
    weights: Weights = {}
    for name, layer in layers.items():
        stem, _, kind = name.rpartition("_")
        if kind not in ("conv", "depth", "dense"):
            continue
        kernel = np.asarray(layer.get_weights()[0], dtype=np.float64)
        bn = layers.get(f"{stem}_bn")
        own = layer.get_weights()[1:]  # convolutions before a normalisation have no bias of their own
        bias = np.asarray(own[0], dtype=np.float64) if own else np.zeros(())
        if bn is not None:
            gamma, beta, mean, variance = (np.asarray(w, dtype=np.float64) for w in bn.get_weights())
            scale = gamma / np.sqrt(variance + bn.epsilon)
            # Depthwise kernels are [h, w, c, 1], others [h, w, in, out].
            kernel = kernel * (scale[:, None] if kind == "depth" else scale)
            bias = beta + (bias - mean) * scale
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


def _first_layers(model: Any) -> list[str]:
    """Return the layers whose kernels see the input's channels: the first convolution, a depthwise one before it."""
    found = []
    for layer in model.layers:
        kind = layer.name.rpartition("_")[2]
        if kind in ("conv", "depth"):
            found.append(layer.name)
        if kind == "conv":
            break
    return found


def reorder_inputs(model: Any, order: npt.NDArray[np.int64]) -> None:
    """Let the folded network `model` take its input channels in the order `order`."""
    for name in _first_layers(model):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel[:, :, order, :], bias[order] if name.endswith("_depth") else bias])


def for_last_channels(model: Any, taker: Any) -> Weights:
    """Return folded weights of `model` for `taker`, the same network behind the last of its input channels only."""
    depth = int(taker.input_shape[-1])
    weights = fold(model)
    for name in _first_layers(taker):
        weights[f"{name}/kernel"] = weights[f"{name}/kernel"][:, :, -depth:, :]
        if name.endswith("_depth"):
            weights[f"{name}/bias"] = weights[f"{name}/bias"][-depth:]
    return weights


def unfold(twin: Any, folded: Any, inputs: Any) -> None:
    """Start the unfolded network `twin` as the function that `folded` is, with statistics taken on `inputs`.

    `folded` may take more channels than `twin`: the last ones of its first kernel are used, and `inputs` are cut to
    them.
    """
    unfold_weights(twin, for_last_channels(folded, twin), inputs[..., -int(twin.input_shape[-1]) :])


def unfold_weights(twin: Any, weights: Weights, inputs: Any) -> None:
    """Start the unfolded network `twin` by folded `weights`, with statistics taken on `inputs`.

    Normalisation is given the mean and variance that each convolution's output has on `inputs`, and the scale and
    offset that undo it: y = sd (conv(x) - mean) / sd + mean + bias.

    Raises:
        KeyError: the weights of a layer are missing.
    """
    import keras  # noqa: PLC0415 - the rest of this module is numpy

    normalised = {layer.name for layer in twin.layers if layer.name.endswith("_bn")}
    for layer in twin.layers:
        stem, _, kind = layer.name.rpartition("_")
        if kind not in ("conv", "depth", "dense"):
            continue
        if kind == "dense" or f"{stem}_bn" not in normalised:
            layer.set_weights([weights[f"{layer.name}/kernel"], weights[f"{layer.name}/bias"]])
        else:
            layer.set_weights([weights[f"{layer.name}/kernel"]])
            # They are set in order, so that each convolution is measured behind those already set.
            out = np.asarray(keras.Model(twin.input, layer.output)(inputs, training=False), dtype=np.float32)
            mean, variance = out.mean(axis=(0, 1, 2)), out.var(axis=(0, 1, 2))
            bn = twin.get_layer(f"{stem}_bn")
            gamma = np.sqrt(variance + bn.epsilon)
            bn.set_weights([gamma, mean + weights[f"{layer.name}/bias"], mean, variance])
