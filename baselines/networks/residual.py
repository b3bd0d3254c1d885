"""Builds the residual networks of the `compact` profile: the reference network and remote halves.

They are made of ordinary 3x3 convolutions, because on CPUs with AVX2 they train several times better per second than
depthwise ones.
"""

from __future__ import annotations

from baselines.networks.structure import Structure, Tensor

STEM_CHANNELS = 24  # the extractor's channel count, so that its map can stand in for the stem's (paper, section 7)


def stem(x: Tensor, blocks: Structure) -> Tensor:
    """Turn a picture [n, 32, 32, 3] in 0..1 into features [n, 16, 16, 24] in ReLU6's range."""
    return blocks.conv(x, STEM_CHANNELS, stride=2, act="relu6", name="stem")


def body(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Structure) -> Tensor:
    """Turn a feature map into logits.

    Each width is a convolution (of stride 2 except the first) and a residual block.
    """
    for i, width in enumerate(widths):
        x = blocks.conv(x, width, stride=1 if i == 0 else 2, name=f"stage{i}")
        x = blocks.residual(x, name=f"stage{i}_res")
    return blocks.classifier(x, classes, norm=True)


def picture(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Structure) -> Tensor:
    """Turn a picture [n, h, w, 3] in 0..1 into logits: stem and body."""
    return body(stem(x, blocks), classes, widths, blocks)
