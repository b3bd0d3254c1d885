"""Builds EfficientNet-Lite0 for pictures of 64x64 as it is published: its first convolution halves the picture.

The map behind the second stage is 16x16x24, as `lite` gives it for 32x32 and as an extractor of stride 4 gives it here.
"""

from __future__ import annotations

from baselines.networks import lite
from baselines.networks.lite import body
from baselines.networks.structure import Structure, Tensor

__all__ = ["body", "picture", "stem"]


def stem(x: Tensor, blocks: Structure) -> Tensor:
    """Turn a picture [n, h, w, 3] in 0..1 into features [n, h/4, w/4, 24] in ReLU6's range, as `stem_relu`."""
    return lite.stem(x, blocks, first_stride=2)


def picture(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Structure) -> Tensor:
    """Turn a picture [n, h, w, 3] in 0..1 into logits: stem and body."""
    return body(stem(x, blocks), classes, widths, blocks)
