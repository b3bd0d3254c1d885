"""Builds the reference network of the `mid` profile: `residual` behind a stem that quarters a picture of 64x64.

So its body, and with it AgileNN's remote network, sees the 16x16 map that it sees of a 32x32 picture, and an extractor
of stride 4 gives a map that takes the stem's place as it is.
"""

from __future__ import annotations

from baselines.networks.residual import STEM_CHANNELS, body
from baselines.networks.structure import Structure, Tensor

__all__ = ["body", "picture", "stem"]

FIRST_CHANNELS = 32  # of the stem's first convolution


def stem(x: Tensor, blocks: Structure) -> Tensor:
    """Turn a picture [n, h, w, 3] in 0..1 into features [n, h/4, w/4, 24] in ReLU6's range, as `stem_relu`."""
    x = blocks.conv(x, FIRST_CHANNELS, stride=2, name="stem_first")
    return blocks.conv(x, STEM_CHANNELS, stride=2, act="relu6", name="stem")


def picture(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Structure) -> Tensor:
    """Turn a picture [n, h, w, 3] in 0..1 into logits: stem and body."""
    return body(stem(x, blocks), classes, widths, blocks)
