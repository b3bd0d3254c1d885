"""Builds a network as a chain of blocks written as text: any prefix may run on the device, and the rest on the server.

The module `block_text` says how a block is written.
"""

from __future__ import annotations

from typing import Any

from baselines.networks.block_text import Block, parse
from baselines.networks.building import model
from baselines.networks.structure import Structure, Tensor


def _block(x: Tensor, block: Block, name: str, blocks: Structure) -> Tensor:
    if block.kind in ("conv", "wide"):
        act = "relu6" if block.kind == "conv" else "relu"
        return blocks.conv(x, block.filters, stride=block.stride, act=act, name=name)
    if block.kind == "res":
        return blocks.residual(x, name=name)
    if block.kind == "ir":
        y = blocks.inverted_residual(x, block.filters, expand=block.expand, stride=block.stride, name=name)
    else:
        width = int(x.shape[-1])
        y = blocks.conv(x, width * block.expand, stride=block.stride, act="relu6", name=f"{name}_expand")
        y = blocks.conv(y, block.filters, kernel=1, act=None, name=f"{name}_project")
        if block.stride == 1 and width == block.filters:
            y = blocks.add(x, y, name=f"{name}_add")
    return blocks.relu6(y, name=f"{name}_out")


def chain(x: Tensor, texts: tuple[str, ...], blocks: Structure, first: int = 0) -> list[Tensor]:
    """Return the output of every block.

    The layers of block i begin with `b<i>_`; i counts from the start of the whole chain, and `first` is the first block
    here.
    """
    outputs = []
    for i, text in enumerate(texts, first):
        x = _block(x, parse(text), f"b{i}", blocks)
        outputs.append(x)
    return outputs


def exit_head(x: Tensor, classes: int, widths: tuple[int, ...], split: int, blocks: Structure) -> Tensor:
    """Turn features into logits by convolutions of stride 2, pooling and a dense layer; layers begin with
    `exit<split>`.
    """
    for i, width in enumerate(widths):
        x = blocks.conv(x, width, stride=2, act="relu6", name=f"exit{split}_{i}")
    return blocks.classifier(x, classes, name=f"exit{split}")


def whole(x: Tensor, classes: int, texts: tuple[str, ...], blocks: Structure) -> Tensor:
    """Turn a picture in 0..1 into the logits of the whole chain, without exits."""
    return blocks.classifier(chain(x, texts, blocks)[-1], classes)


def tail(x: Tensor, classes: int, texts: tuple[str, ...], split: int, blocks: Structure) -> Tensor:
    """Turn the features after `split` blocks into logits: what the server runs."""
    return blocks.classifier(chain(x, texts[split:], blocks, split)[-1], classes)


def chain_model(input_shape: tuple[int, int, int], classes: int, *, blocks: tuple[str, ...], folded: bool) -> Any:
    """Build the whole chain without exits: picture in 0..1 -> logits."""
    return model(lambda x, make: whole(x, classes, blocks, make), input_shape, "chain", folded=folded)


def head_model(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    blocks: tuple[str, ...],
    split: int,
    exit_widths: tuple[int, ...],
    folded: bool,
) -> Any:
    """Build what the device runs: picture in 0..1 -> [features after `split` blocks, the exit's logits]."""

    def head(picture: Tensor, make: Structure) -> list[Tensor]:
        features = chain(picture, blocks[:split], make)[-1]
        return [features, exit_head(features, classes, exit_widths, split, make)]

    return model(head, input_shape, "device", folded=folded)


def training_model(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    blocks: tuple[str, ...],
    splits: tuple[int, ...],
    exit_widths: tuple[int, ...],
) -> Any:
    """Build what is trained, unfolded: picture in 0..1 -> [logits of the exit at each split, logits of the whole
    chain].
    """

    def trained(picture: Tensor, make: Structure) -> list[Tensor]:
        outputs = chain(picture, blocks, make)
        exits = [exit_head(outputs[split - 1], classes, exit_widths, split, make) for split in splits]
        return [*exits, make.classifier(outputs[-1], classes)]

    return model(trained, input_shape, "partition", folded=False)
