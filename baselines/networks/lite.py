"""Builds EfficientNet-Lite0 (Tan and Le 2019) for small pictures, of 32x32 or 64x64.

"Lite" means ReLU6 and no squeeze-and-excitation. The network is cut behind its second stage, whose map has
24 channels: that much is the stem, what follows is the body. The published network halves a picture at once. Here small
pictures are not scaled up by two first: bilinear scaling and a 3x3 convolution of stride 2 are, but for the border, one
3x3 convolution of stride 1 (`pretrained.lite0` adds the kernels up), so a 32x32 picture gives 16x16x24 as a 64x64 one
would.

Between stem and body stand a scale and an offset for each channel, and ReLU6. The published network has none: an
extractor's features lie in ReLU6's range, and the body has to take them.
"""

from __future__ import annotations

from baselines.networks.structure import Structure, Tensor

STEM_CHANNELS = 24
EXPANSION = 6
STEM_WIDTHS = (32, 16)  # channels of the first convolution and the first stage
STAGES = ((5, 2, 2), (3, 2, 3), (5, 1, 3), (5, 2, 4), (3, 1, 1))  # kernel, stride, blocks of stages three to seven
WIDTHS = (40, 80, 112, 192, 320, 1280)  # channels of those stages and of the last 1x1 convolution


def stem(x: Tensor, blocks: Structure, *, first_stride: int = 1) -> Tensor:
    """Turn a picture [n, h, w, 3] in 0..1 into features [n, h/2, w/2, 24] in ReLU6's range, as `stem_relu`.

    With a first convolution of stride 2, as published, the map is [n, h/4, w/4, 24].
    """
    x = blocks.conv(x, STEM_WIDTHS[0], stride=first_stride, act="relu6", name="stem_first")
    x = blocks.mobile(x, STEM_WIDTHS[1], expand=1, name="stem_one")
    x = blocks.mobile(x, STEM_CHANNELS, expand=EXPANSION, stride=2, name="stem_two0")
    x = blocks.mobile(x, STEM_CHANNELS, expand=EXPANSION, name="stem_two1")
    return blocks.depthwise(x, kernel=1, name="stem")


def body(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Structure) -> Tensor:
    """Turn a feature map into logits.

    It is as wide within for fewer channels than the stem's 24 as it is for those, so that it can start as published.

    Raises:
        ValueError: `widths` does not hold one for each stage and one for the last convolution.
    """
    if len(widths) != len(WIDTHS):
        raise ValueError(f"an EfficientNet-Lite0 has {len(WIDTHS)} widths behind its stem, not {len(widths)}")
    for stage, ((kernel, stride, count), width) in enumerate(zip(STAGES, widths, strict=False), 3):
        for i in range(count):
            step = stride if i == 0 else 1
            of = STEM_CHANNELS if (stage, i) == (3, 0) else 0
            x = blocks.mobile(x, width, expand=EXPANSION, kernel=kernel, stride=step, of=of, name=f"stage{stage}_{i}")
    x = blocks.pointwise(x, widths[-1], act="relu6", name="leave")
    return blocks.classifier(x, classes, norm=True)


def picture(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Structure) -> Tensor:
    """Turn a picture [n, h, w, 3] in 0..1 into logits: stem and body."""
    return body(stem(x, blocks), classes, widths, blocks)
