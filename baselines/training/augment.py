"""Augmentation inside the graph: horizontal flip and a random crop from a picture padded by 4 (both TensorFlow ops)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

PAD = 4


def augment(x: Any, seed: Any) -> Any:
    """Flip and crop each picture of `x` (float or uint8 [n, h, w, 3]) on its own.

    `seed` (int32 [2]) alone decides the outcome, so that a resumed training sees the same pictures.
    """
    n, height, width = tf.shape(x)[0], x.shape[1], x.shape[2]
    padded = tf.pad(x, [[0, 0], [PAD, PAD], [PAD, PAD], [0, 0]])
    offsets = tf.random.stateless_uniform((2, n), seed, 0, 2 * PAD + 1, tf.int32)
    flips = tf.random.stateless_uniform((n,), seed + 1, 0, 2, tf.int32)
    rows = offsets[0][:, None] + tf.range(height)[None, :]
    columns = tf.range(width)[None, :]
    columns = offsets[1][:, None] + tf.where(flips[:, None] == 1, width - 1 - columns, columns)
    # One gather per axis with a batch dimension is far cheaper than a per-picture map.
    x = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.transpose(tf.gather(tf.transpose(x, [0, 2, 1, 3]), columns, axis=1, batch_dims=1), [0, 2, 1, 3])


def to_unit(x: Any) -> Any:
    """uint8 pictures -> float32 in 0..1, the networks' input range (int8 on the device: uint8 - 128, scale 1/255)."""
    return tf.cast(x, tf.float32) * (1.0 / 255.0)
