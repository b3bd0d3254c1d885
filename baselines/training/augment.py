"""Augmentation inside the graph: horizontal flip and a random crop from a picture padded by 4."""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.training import backend

PAD = 4


def augment(x: Any, seed: Any) -> Any:
    """Flip and crop each picture of `x` (float or uint8 [n, h, w, 3]) on its own.

    `seed` (int32 [2]) alone decides the outcome, so that a resumed training sees the same pictures. TensorFlow and JAX
    draw differently.
    """
    n, height, width = (int(size) for size in x.shape[:3])
    padded = ops.pad(x, [[0, 0], [PAD, PAD], [PAD, PAD], [0, 0]])
    offsets = backend.integers((2, n), seed, 0, 2 * PAD + 1)
    flips = backend.integers((n,), seed, 1, 2)
    rows = offsets[0][:, None] + ops.arange(height)[None, :]
    columns = ops.arange(width)[None, :]
    columns = offsets[1][:, None] + ops.where(flips[:, None] == 1, width - 1 - columns, columns)
    # One gather per axis with a batch dimension is far cheaper than a per-picture map.
    x = backend.gather_lines(padded, rows)
    return ops.transpose(backend.gather_lines(ops.transpose(x, (0, 2, 1, 3)), columns), (0, 2, 1, 3))


def to_unit(x: Any) -> Any:
    """uint8 pictures -> float32 in 0..1, the networks' input range (int8 on the device: uint8 - 128, scale 1/255)."""
    return ops.cast(x, "float32") * (1.0 / 255.0)
