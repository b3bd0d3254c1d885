"""The backend functions of training on TensorFlow (see backend.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def compiled(function: Callable[..., Any]) -> Any:
    """`function` of tensors as one graph; it may read and assign Keras variables."""
    return tf.function(function)


def fused(function: Callable[..., Any]) -> Any:
    """`function` of tensors by XLA, for use inside a compiled one: many small passes become one."""
    return tf.function(function, jit_compile=True)


def gradients(function: Callable[[], dict[str, Any]], variables: list[Any]) -> tuple[dict[str, Any], list[Any]]:
    """What `function` gives, scalars by name, and the gradients of its `loss` by `variables`."""
    with tf.GradientTape() as tape:
        metrics = function()
    return metrics, tape.gradient(metrics["loss"], variables)


def input_gradient(function: Callable[[Any], tuple[Any, Any]], x: Any) -> tuple[Any, Any]:
    """The gradient by `x` of the first result of `function`, a scalar, and its second result.

    Can be differentiated again.
    """
    with tf.GradientTape() as tape:
        tape.watch(x)
        value, other = function(x)
    return tape.gradient(value, x), other


def integers(shape: tuple[int, ...], seed: Any, stream: int, limit: int) -> Any:
    """int32 of 0..limit-1, decided by `seed` (int32 [2]) and `stream` alone."""
    return tf.random.stateless_uniform(shape, seed + stream, 0, limit, tf.int32)


def gather_lines(x: Any, lines: Any) -> Any:
    """From each picture of `x` [n, h, w, c] its own lines, int32 [n, m] -> [n, m, w, c]."""
    return tf.gather(x, lines, axis=1, batch_dims=1)


def nearest(values: Any, distance: Any) -> Any:
    """That of `values` [m] at which `distance` [..., m] is least, the first in a tie: [...]. Without a gradient.

    `keras.ops` would look for negative zeros and negative indices first, which this many elements feel.
    """
    return tf.gather(values, tf.argmin(distance, axis=-1))


def set_seed(seed: int) -> None:
    """Let the initial values of networks built from now on be those of `seed`."""
    keras.utils.set_random_seed(seed)


def transposed_times(a: Any, b: Any) -> Any:
    """a' b of two matrices."""
    return tf.matmul(a, b, transpose_a=True)


def value_of(variable: Any) -> Any:
    """What a Keras variable holds now, as a tensor."""
    return tf.convert_to_tensor(variable)


def version() -> str:
    """Name and version."""
    return f"tensorflow {tf.__version__}"
