"""The networks that run on the device: AgileNN's extractor and local branch, and the local-only network."""

from __future__ import annotations

from typing import Any

import keras

from baselines.networks.blocks import Blocks, Tensor, classifier


def extractor(
    x: Tensor, channels: int, stride: int, blocks: Blocks, first: str = "conv", first_channels: int = 0
) -> Tensor:
    """Picture [n, h, w, 3] in 0..1 -> features [n, h/stride, w/stride, channels] in ReLU6's range.

    Two convolutions as published (paper, section 7), the second one separable; stride 4 halves again in the second.

    Args:
        first: `conv`, or `separable` as in the public code (whose normalisation between the two parts is ours: it is
            linear and folded away).
        first_channels: of the first layer, 0 = `channels`; the public code has 4.
    """
    width, step = first_channels or channels, 3 if stride == 3 else 2
    if first == "separable":
        x = blocks.depthwise(x, stride=step, act=None, name="extract_view")
        x = blocks.conv(x, width, kernel=1, act="relu6", name="extract_first")
    else:
        x = blocks.conv(x, width, stride=step, act="relu6", name="extract_first")
    x = blocks.depthwise(x, stride=stride // step, act=None, name="extract_space")
    return blocks.conv(x, channels, kernel=1, act="relu6", name="extract_mix")


def local_branch(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Blocks) -> Tensor:
    """The k local channels [n, h, w, k] -> logits; `widths` are convolutions of stride 2 before the pooling."""
    for i, width in enumerate(widths):
        x = blocks.conv(x, width, stride=2, act="relu6", name=f"local{i}")
    return classifier(x, classes, name="local", norm=blocks.logit_norm and not blocks.folded)


def split_model(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    channels: int,
    stride: int,
    k: int,
    local_widths: tuple[int, ...],
    folded: bool,
    first: str = "conv",
    first_channels: int = 0,
    logit_norm: bool = False,
) -> Any:
    """The device half of AgileNN: picture -> [all features, local logits]; the first k channels are the local ones.

    With k = 0 there is no local branch: picture -> [all features].
    """
    blocks = Blocks(folded, logit_norm)
    picture = keras.Input(input_shape)
    features = extractor(picture, channels, stride, blocks, first, first_channels)
    if k == 0:
        return keras.Model(picture, [features], name="device")
    logits = local_branch(features[:, :, :, :k], classes, local_widths, blocks)
    return keras.Model(picture, [features, logits], name="device")


def small_model(
    input_shape: tuple[int, int, int], classes: int, *, stem: int, stages: tuple[int, ...], folded: bool
) -> Any:
    """The local-only network: picture -> logits.

    A stem of stride 2, a convolution at that size, then per further stage a convolution of stride 2 and a residual
    block. The block is left out of the first stage, where the map is largest and a block the most expensive.
    """
    blocks = Blocks(folded)
    picture = keras.Input(input_shape)
    x = blocks.conv(picture, stem, stride=2, act="relu6", name="stem")
    for i, width in enumerate(stages):
        x = blocks.conv(x, width, stride=1 if i == 0 else 2, act="relu6", name=f"stage{i}")
        if i > 0:
            y = blocks.conv(x, width, act="relu6", name=f"stage{i}_a")
            y = blocks.conv(y, width, act=None, name=f"stage{i}_b")
            x = keras.layers.ReLU(6.0, name=f"stage{i}_out")(keras.layers.Add(name=f"stage{i}_add")([x, y]))
    return keras.Model(picture, classifier(x, classes), name="small")
