"""Augments pictures inside the graph: horizontal flip, a random crop from a picture padded by 4, a grey square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import ops

from baselines.training import backend

PAD = 4
GREY = 128  # the middle of uint8


@dataclass(frozen=True)
class Augmentation:
    """Says what is done to training pictures beside the crop.

    `cutout` (DeVries and Taylor 2017) is the side of the square.
    """

    flips: bool = True
    cutout: int = 0


USUAL = Augmentation()


def augment(x: Any, seed: Any, views: Augmentation = USUAL) -> Any:
    """Flip and crop each picture of `x` (uint8 [n, h, w, 3]) on its own.

    `seed` (int32 [2]) alone decides the outcome, so that a resumed training sees the same pictures. TensorFlow and JAX
    draw differently. A square's centre lies anywhere on the picture, so that part of it may lie outside.
    """
    n, height, width = (int(size) for size in x.shape[:3])
    padded = ops.pad(x, [[0, 0], [PAD, PAD], [PAD, PAD], [0, 0]])
    offsets = backend.integers((2, n), seed, 0, 2 * PAD + 1)
    rows = offsets[0][:, None] + ops.arange(height)[None, :]
    columns = ops.arange(width)[None, :]
    if views.flips:
        flips = backend.integers((n,), seed, 1, 2)
        columns = ops.where(flips[:, None] == 1, width - 1 - columns, columns)
    columns = offsets[1][:, None] + columns
    # One gather for each axis, with a batch dimension, is far cheaper than a map over the pictures.
    x = backend.gather_lines(padded, rows)
    x = ops.transpose(backend.gather_lines(ops.transpose(x, (0, 2, 1, 3)), columns), (0, 2, 1, 3))
    return _cut_out(x, seed, views.cutout) if views.cutout else x


def _cut_out(x: Any, seed: Any, side: int) -> Any:
    n, height, width = (int(size) for size in x.shape[:3])
    centres = [backend.integers((n, 1), seed, stream, size) for stream, size in ((2, height), (3, width))]
    inside = [
        ops.logical_and(
            ops.arange(size)[None, :] >= centre - side // 2, ops.arange(size)[None, :] < centre - side // 2 + side
        )
        for centre, size in zip(centres, (height, width), strict=True)
    ]
    square = ops.logical_and(inside[0][:, :, None, None], inside[1][:, None, :, None])
    return ops.where(square, ops.cast(GREY, x.dtype), x)


def to_unit(x: Any) -> Any:
    """Turn uint8 pictures into float32 in 0..1, the networks' input range.

    On the device, int8 is uint8 - 128 with a scale of 1/255.
    """
    return ops.cast(x, "float32") * (1.0 / 255.0)
