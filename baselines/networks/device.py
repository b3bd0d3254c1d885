"""Builds the networks that run on the device: AgileNN's extractor and local branch, and the local-only network."""

from __future__ import annotations

from typing import Any

from baselines.networks.building import model
from baselines.networks.stages import Stage
from baselines.networks.structure import Structure, Tensor


def extractor(
    x: Tensor, channels: int, stride: int, blocks: Structure, first: str = "conv", first_channels: int = 0
) -> Tensor:
    """Turn a picture [n, h, w, 3] in 0..1 into features [n, h/stride, w/stride, channels] in ReLU6's range.

    It has two convolutions as published (paper, section 7), the second one separable; with stride 4 the second halves
    the map again.

    Args:
        first: `conv`, or `separable` as in the public code (whose normalisation between the two parts is ours: it is
            linear and folded away).
        first_channels: channels of the first layer; 0 stands for `channels`. The public code has 4.
    """
    width, step = first_channels or channels, 3 if stride == 3 else 2
    if first == "separable":
        x = blocks.depthwise(x, stride=step, act=None, name="extract_view")
        x = blocks.conv(x, width, kernel=1, act="relu6", name="extract_first")
    else:
        x = blocks.conv(x, width, stride=step, act="relu6", name="extract_first")
    x = blocks.depthwise(x, stride=stride // step, act=None, name="extract_space")
    return blocks.conv(x, channels, kernel=1, act="relu6", name="extract_mix")


def local_branch(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Structure) -> Tensor:
    """Turn the k local channels [n, h, w, k] into logits; `widths` are convolutions of stride 2 before the pooling."""
    for i, width in enumerate(widths):
        x = blocks.conv(x, width, stride=2, act="relu6", name=f"local{i}")
    return blocks.classifier(x, classes, name="local", norm=True)


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
    """Build the device half of AgileNN: picture -> [all features, local logits]; the first k channels are the local
    ones.

    With k = 0 there is no local branch: picture -> [all features].
    """

    def half(picture: Tensor, blocks: Structure) -> list[Tensor]:
        features = extractor(picture, channels, stride, blocks, first, first_channels)
        return [features, local_branch(features[:, :, :, :k], classes, local_widths, blocks)] if k else [features]

    return model(half, input_shape, "device", folded=folded, logit_norm=logit_norm)


def small_model(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    stem: int,
    stem_stride: int = 2,
    stages: tuple[Stage, ...],
    folded: bool,
) -> Any:
    """Build the local-only network, picture -> logits, by the notation of `stages`."""

    def small(picture: Tensor, blocks: Structure) -> Tensor:
        x = blocks.conv(picture, stem, stride=stem_stride, act="relu6", name="stem")
        for i, stage in enumerate(stages):
            of_kind = _plain if stage.kind == "conv" else _inverted
            x = of_kind(x, stage, f"stage{i}", blocks)
        return blocks.classifier(x, classes)

    return model(small, input_shape, "small", folded=folded)


def _plain(x: Tensor, stage: Stage, name: str, blocks: Structure) -> Tensor:
    x = blocks.conv(x, stage.width, stride=stage.stride, act="relu6", name=name)
    for j in range(stage.depth):
        part = name if j == 0 else f"{name}_{j}"
        y = blocks.conv(x, stage.width, act="relu6", name=f"{part}_a")
        y = blocks.conv(y, stage.width, act=None, name=f"{part}_b")
        x = blocks.relu6(blocks.add(x, y, name=f"{part}_add"), name=f"{part}_out")
    return x


def _inverted(x: Tensor, stage: Stage, name: str, blocks: Structure) -> Tensor:
    for j in range(stage.depth):
        stride = stage.stride if j == 0 else 1
        x = blocks.inverted_residual(x, stage.width, expand=stage.expand, stride=stride, name=f"{name}_{j}")
    return x
