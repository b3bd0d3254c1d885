"""Builds DeepCOD's decoder on the server and, behind it, the frozen reference network (Yao et al., SenSys'20)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from baselines.networks import residual, residual64
from baselines.networks.building import model
from baselines.networks.structure import Structure, Tensor

PATCH = 4  # the encoder's kernel and stride
IN_FRONT = {"residual_picture": "deepcod", "residual64_picture": "deepcod64"}  # both networks by the reference network


def decoder(x: Tensor, widths: tuple[int, int], blocks: Structure) -> Tensor:
    """Turn centres [n, h, w, c] into a picture [n, 4h, 4w, 3], in about 0..1.

    It has two up-blocks, as published but without attention, beside a linear map of each patch, which starts as the
    encoder's transpose (`start_linear`): the blocks need to learn only what that leaves.
    """
    linear = blocks.plain(x, PATCH * PATCH * 3, kernel=1, name="decode_linear")
    x = blocks.conv(x, 2 * widths[0], name="decode_first")
    x = blocks.residual(x, name="decode_first_res")
    x = blocks.spread(blocks.conv(x, 4 * widths[0], name="decode_up0"), 2, name="decode_up0")
    x = blocks.residual(x, name="decode_up0_res")
    x = blocks.spread(blocks.conv(x, 4 * widths[1], name="decode_up1"), 2, name="decode_up1")
    x = blocks.plain(x, 3, kernel=3, zeros=True, name="decode_picture")
    return blocks.add(x, blocks.spread(linear, PATCH, name="decode_linear"), name="decode_picture", exact=True)


def start_linear(model: Any, kernel: npt.NDArray[np.float32]) -> None:
    """Let `model` start as the transpose of an encoder's kernel [4, 4, 3, channels] that acts on pictures less 0.5."""
    flat = kernel.reshape(-1, kernel.shape[-1]).T
    model.get_layer("decode_linear_conv").set_weights([flat[None, None], np.full(flat.shape[1], 0.5, np.float32)])


def decoder_model(input_shape: tuple[int, int, int], widths: tuple[int, int], *, folded: bool) -> Any:
    """Build the decoder alone."""
    return model(lambda x, blocks: decoder(x, widths, blocks), input_shape, "decoder", folded=folded)


def decoded(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Structure) -> Tensor:
    """Turn centres into logits: decoder and reference network.

    `widths` are the decoder's two, then the reference network's.

    Raises:
        ValueError: there are fewer than three.
    """
    return _in_front(residual.picture, x, classes, widths, blocks)


def decoded64(x: Tensor, classes: int, widths: tuple[int, ...], blocks: Structure) -> Tensor:
    """Turn centres into logits as `decoded` does, by the reference network for pictures of 64x64."""
    return _in_front(residual64.picture, x, classes, widths, blocks)


def _in_front(
    reference: Callable[[Tensor, int, tuple[int, ...], Structure], Tensor],
    x: Tensor,
    classes: int,
    widths: tuple[int, ...],
    blocks: Structure,
) -> Tensor:
    if len(widths) < 3:
        raise ValueError("two widths of the decoder and those of the reference network are wanted")
    return reference(decoder(x, (widths[0], widths[1]), blocks), classes, widths[2:], blocks)
