"""Builds AgileNN's networks in training: device half, remote half, and the reference network's body behind its stem."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from baselines.data import DataSet
from baselines.networks.device import split_model
from baselines.networks.folding import assign, fold, reorder_inputs
from baselines.networks.store import NetworkSpec
from baselines.recipes.recipe import AgileNNRecipe
from baselines.training.supervised import picture_shape
from harness.contracts.errors import BenchError


def device_model(recipe: AgileNNRecipe, data: DataSet, *, folded: bool, sent: int | None = None) -> Any:
    """Build the device half: picture in 0..1 -> [features, local logits].

    `sent` is the number of channels that are sent, where that is not all but the local ones (prune.py).
    """
    n = recipe.network
    return split_model(
        picture_shape(recipe, data),
        data.classes,
        channels=n.channels if sent is None else n.k + sent,
        stride=n.stride,
        k=n.k,
        local_widths=n.local_widths,
        folded=folded,
        first=n.first,
        first_channels=n.first_channels or n.channels,
        logit_norm=n.logit_norm,
    )


def map_size(recipe: AgileNNRecipe, data: DataSet) -> tuple[int, int]:
    """Return height and width of the extractor's map."""
    height, width, _ = picture_shape(recipe, data)
    stride = recipe.network.stride
    return -(-height // stride), -(-width // stride)


def remote_spec(recipe: AgileNNRecipe, data: DataSet) -> NetworkSpec:
    """Return the server's network, which takes the sent channels, dequantised."""
    n = recipe.network
    return NetworkSpec(f"{n.remote}_body", (*map_size(recipe, data), n.channels - n.k), data.classes, n.remote_widths)


def reference_body(spec: NetworkSpec, reference: Any, recipe: AgileNNRecipe, data: DataSet) -> Any:
    """Build the reference network without its stem, frozen: features [n, h, w, channels] -> logits.

    Where the extractor's map is smaller than the stem's (stride 4), it is enlarged by repetition first.

    Raises:
        BenchError: the extractor's map does not fit.
    """
    n = recipe.network
    height, width = map_size(recipe, data)
    stem_height, stem_width, stem_channels = (int(size) for size in reference.get_layer("stem_relu").output.shape[1:])
    if n.channels != stem_channels or stem_height % height:
        raise BenchError(
            f"features {height}x{width}x{n.channels} do not fit the reference network's "
            f"{stem_height}x{stem_width}x{stem_channels}",
            cure="change network.channels or network.stride",
        )
    inner = NetworkSpec(
        spec.network.replace("_picture", "_body"), (stem_height, stem_width, stem_channels), spec.classes, spec.widths
    )
    body = inner.build(folded=True)
    weights = {name: value for name, value in fold(reference).items() if not name.startswith("stem_")}
    assign(body, weights)
    body.trainable = False
    if stem_height == height:
        return body
    small = keras.Input((height, width, n.channels))
    factor = stem_height // height
    wrapped = keras.Model(small, body(keras.layers.UpSampling2D(factor, name="enlarge")(small)), name="reference_body")
    wrapped.trainable = False
    return wrapped


def reorder(device: Any, body: Any, order: npt.NDArray[np.int64]) -> None:
    """Put the extractor's output channels into the order `order`, and let the reference body still see what it saw.

    This is the paper's mapping layer folded away: the last pointwise kernel's columns move, nothing is added.
    """
    conv, bn = device.get_layer("extract_mix_conv"), device.get_layer("extract_mix_bn")
    conv.set_weights([conv.get_weights()[0][..., order]])
    bn.set_weights([w[order] for w in bn.get_weights()])
    reorder_inputs(body if body.name == "body" else body.get_layer("body"), order)
