"""Builds DeepCOD's decoder on the server and, behind it, the frozen reference network (Yao et al., SenSys'20)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from baselines.networks.blocks import Blocks, Tensor
from baselines.networks.residual import body, stem

PATCH = 4  # the encoder's kernel and stride


def _spread(x: Tensor, factor: int, name: str) -> Tensor:
    """Rearrange [n, h, w, factor * factor * c] to [n, factor * h, factor * w, c]; channels are row, column, c."""
    height, width, channels = int(x.shape[1]), int(x.shape[2]), int(x.shape[3]) // factor**2
    x = keras.layers.Reshape((height, width, factor, factor, channels), name=f"{name}_split")(x)
    x = keras.layers.Permute((1, 3, 2, 4, 5), name=f"{name}_order")(x)
    return keras.layers.Reshape((factor * height, factor * width, channels), name=f"{name}_shape")(x)


def decoder(x: Tensor, widths: tuple[int, int], blocks: Blocks) -> Tensor:
    """Turn centres [n, h, w, c] into a picture [n, 4h, 4w, 3], in about 0..1.

    It has two up-blocks, as published but without attention, beside a linear map of each patch, which starts as the
    encoder's transpose (`start_linear`): the blocks need to learn only what that leaves.
    """
    linear = keras.layers.Conv2D(PATCH * PATCH * 3, 1, dtype="float32", name="decode_linear_conv")(x)
    x = blocks.conv(x, 2 * widths[0], name="decode_first")
    x = blocks.residual(x, name="decode_first_res")
    x = _spread(blocks.conv(x, 4 * widths[0], name="decode_up0"), 2, "decode_up0")
    x = blocks.residual(x, name="decode_up0_res")
    x = _spread(blocks.conv(x, 4 * widths[1], name="decode_up1"), 2, "decode_up1")
    x = keras.layers.Conv2D(
        3, 3, padding="same", kernel_initializer="zeros", dtype="float32", name="decode_picture_conv"
    )(x)
    return keras.layers.Add(dtype="float32", name="decode_picture")([x, _spread(linear, PATCH, "decode_linear")])


def start_linear(model: Any, kernel: npt.NDArray[np.float32]) -> None:
    """Let `model` start as the transpose of an encoder's kernel [4, 4, 3, channels] that acts on pictures less 0.5."""
    flat = kernel.reshape(-1, kernel.shape[-1]).T
    model.get_layer("decode_linear_conv").set_weights([flat[None, None], np.full(flat.shape[1], 0.5, np.float32)])


def decoder_model(input_shape: tuple[int, int, int], widths: tuple[int, int], *, folded: bool) -> Any:
    """Build the decoder alone."""
    centres = keras.Input(input_shape)
    return keras.Model(centres, decoder(centres, widths, Blocks(folded)), name="decoder")


def decoded_model(
    input_shape: tuple[int, int, int], classes: int, widths: tuple[int, ...], *, folded: bool, logit_norm: bool = False
) -> Any:
    """Build decoder and reference network: centres -> logits.

    `widths` are the decoder's two, then the reference network's.
    """
    del logit_norm  # it is there for networks that are trained with it
    if len(widths) < 3:
        raise ValueError("two widths of the decoder and those of the reference network are wanted")
    blocks = Blocks(folded)
    centres = keras.Input(input_shape)
    picture = decoder(centres, (widths[0], widths[1]), blocks)
    return keras.Model(centres, body(stem(picture, blocks), classes, widths[2:], blocks), name="deepcod")
