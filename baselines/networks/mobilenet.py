"""Builds the networks of the `paper` profile: MobileNetV2 without its first convolution, and that behind its own stem.

Sizes are those of the public code: a separable convolution to 16 channels in place of the removed one, then the
published inverted residuals (Sandler et al. 2018, table 2) with stride 1 instead of 2 in the second group.
"""

from __future__ import annotations

from baselines.networks.structure import Structure, Tensor

STEM_CHANNELS = 24
STEM_STRIDE = 3  # 96x96 pictures give the 32x32 map of the published extractor
GROUPS = ((1, 1, 1), (6, 2, 1), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1))  # expansion, blocks, stride
WIDTHS = (16, 24, 32, 64, 96, 160, 320, 1280)  # channels of the groups and of the last 1x1 convolution


def body(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Structure) -> Tensor:
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
    return blocks.classifier(x, classes, norm=True)


def picture(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Structure) -> Tensor:
    """Turn a picture [n, h, w, 3] in 0..1 into logits: a stem of stride 3 and the body."""
    return body(blocks.conv(x, STEM_CHANNELS, stride=STEM_STRIDE, act="relu6", name="stem"), classes, widths, blocks)
