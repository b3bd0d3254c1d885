"""Builds the residual networks of the `compact` profile: the reference network and remote halves.

They are made of ordinary 3x3 convolutions, because on CPUs with AVX2 they train several times better per second than
depthwise ones.
"""

from __future__ import annotations

from typing import Any

import keras

from baselines.networks.blocks import Blocks, Tensor, classifier

STEM_CHANNELS = 24  # the extractor's channel count, so that its map can stand in for the stem's (paper, section 7)


def stem(x: Tensor, blocks: Blocks) -> Tensor:
    """Turn a picture [n, 32, 32, 3] in 0..1 into features [n, 16, 16, 24] in ReLU6's range."""
    return blocks.conv(x, STEM_CHANNELS, stride=2, act="relu6", name="stem")


def body(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Blocks) -> Tensor:
    """Turn a feature map into logits.

    Each width is a convolution (of stride 2 except the first) and a residual block.
    """
    for i, width in enumerate(widths):
        x = blocks.conv(x, width, stride=1 if i == 0 else 2, name=f"stage{i}")
        x = blocks.residual(x, name=f"stage{i}_res")
    return classifier(x, classes, norm=blocks.logit_norm and not blocks.folded)


def body_model(
    input_shape: tuple[int, int, int], classes: int, widths: tuple[int, ...], *, folded: bool, logit_norm: bool = False
) -> Any:
    """Build `body` as a model of its own: feature map [n, *input_shape] -> logits [n, classes]."""
    features = keras.Input(input_shape)
    return keras.Model(features, body(features, classes, widths, Blocks(folded, logit_norm)), name="body")


def picture_model(
    input_shape: tuple[int, int, int], classes: int, widths: tuple[int, ...], *, folded: bool, logit_norm: bool = False
) -> Any:
    """Build stem and body: picture [n, *input_shape] in 0..1 -> logits [n, classes]."""
    blocks = Blocks(folded, logit_norm)
    picture = keras.Input(input_shape)
    return keras.Model(picture, body(stem(picture, blocks), classes, widths, blocks), name="picture")
