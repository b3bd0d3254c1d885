"""Builds the networks of the `paper` profile: MobileNetV2 without its first convolution, and that behind its own stem.

Sizes are those of the public code: a separable convolution to 16 channels in place of the removed one, then the
published inverted residuals (Sandler et al. 2018, table 2) with stride 1 instead of 2 in the second group.
"""

from __future__ import annotations

from typing import Any

import keras

from baselines.networks.blocks import Blocks, Tensor, classifier

STEM_CHANNELS = 24
STEM_STRIDE = 3  # 96x96 pictures give the 32x32 map of the published extractor
GROUPS = ((1, 1, 1), (6, 2, 1), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1))  # expansion, blocks, stride
WIDTHS = (16, 24, 32, 64, 96, 160, 320, 1280)  # channels of the groups and of the last 1x1 convolution


def body(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Blocks) -> Tensor:
    """Turn a feature map into logits.

    Raises:
        ValueError: `widths` does not hold one for each group and one for the last convolution.
    """
    if len(widths) != len(WIDTHS):
        raise ValueError(f"a MobileNetV2-like network has {len(WIDTHS)} widths, not {len(widths)}")
    x = blocks.depthwise(x, act=None, name="enter_space")
    x = blocks.conv(x, widths[0], kernel=1, act="relu6", name="enter_mix")
    for group, ((expand, count, stride), width) in enumerate(zip(GROUPS, widths, strict=False)):
        for i in range(count):
            x = blocks.inverted_residual(
                x, width, expand=expand, stride=stride if i == 0 else 1, name=f"group{group}_{i}"
            )
    x = blocks.conv(x, widths[-1], kernel=1, act="relu6", name="leave")
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
    """Build a stem of stride 3 and the body: picture [n, *input_shape] in 0..1 -> logits [n, classes]."""
    blocks = Blocks(folded, logit_norm)
    picture = keras.Input(input_shape)
    x = blocks.conv(picture, STEM_CHANNELS, stride=STEM_STRIDE, act="relu6", name="stem")
    return keras.Model(picture, body(x, classes, widths, blocks), name="picture")
