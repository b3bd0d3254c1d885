"""Trains on TensorFlow: has the functions of backend.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def compiled(function: Callable[..., Any]) -> Any:
    """Compile `function` of tensors as one graph; it may read and assign Keras variables."""
    return tf.function(function)


def fused(function: Callable[..., Any]) -> Any:
    """Compile `function` of tensors by XLA, for use inside a compiled one: many small passes become one."""
    return tf.function(function, jit_compile=True)


def gradients(function: Callable[[], dict[str, Any]], variables: list[Any]) -> tuple[dict[str, Any], list[Any]]:
    """Return what `function` gives, scalars by name, and the gradients of its `loss` by `variables`."""
    with tf.GradientTape() as tape:
        metrics = function()
    return metrics, tape.gradient(metrics["loss"], variables)


def input_gradient(function: Callable[[Any], tuple[Any, Any]], x: Any) -> tuple[Any, Any]:
    """Return the gradient by `x` of the first result of `function`, a scalar, and its second result.

    The gradient can be differentiated again.
    """
    with tf.GradientTape() as tape:
        tape.watch(x)
        value, other = function(x)
    return tape.gradient(value, x), other


def integers(shape: tuple[int, ...], seed: Any, stream: int, limit: int) -> Any:
    """Draw int32 values of 0..limit-1, decided by `seed` (int32 [2]) and `stream` alone."""
    return tf.random.stateless_uniform(shape, seed + stream, 0, limit, tf.int32)


def gather_lines(x: Any, lines: Any) -> Any:
    """Take from each picture of `x` [n, h, w, c] its own lines, int32 [n, m] -> [n, m, w, c]."""
    return tf.gather(x, lines, axis=1, batch_dims=1)


def nearest(values: Any, distance: Any) -> Any:
    """Return that of `values` [m] at which `distance` [..., m] is least, the first in a tie: [...].

    The result has no gradient.

    `keras.ops` would look for negative zeros and negative indices first, which costs time with so many elements.
    """
    return tf.gather(values, tf.argmin(distance, axis=-1))


def set_seed(seed: int) -> None:
    """Let the initial values of networks built from now on be those of `seed`."""
    keras.utils.set_random_seed(seed)


def transposed_times(a: Any, b: Any) -> Any:
    """Return a' b of two matrices."""
    return tf.matmul(a, b, transpose_a=True)


def value_of(variable: Any) -> Any:
    """Return what a Keras variable holds now, as a tensor."""
    return tf.convert_to_tensor(variable)


def version() -> str:
    """Return the library's name and version."""
    return f"tensorflow {tf.__version__}"


def flop(step: Any, arguments: tuple[Any, ...]) -> float | None:
    """Count what the convolutions and matrix products of a compiled function take, an addition being one, too.

    The graph is counted, not the network, whatever gradient an operation belongs to. Other operations are left out:
    they take time, but hardly any arithmetic.
    """
    graph = step.get_concrete_function(*arguments).graph
    return float(_flop(graph, graph.outputs))


def _flop(graph: Any, results: list[Any]) -> int:
    total = 0
    for op, used in _needed(graph, results):
        if op.type in ("PartitionedCall", "StatefulPartitionedCall"):
            within = graph._get_function(op.get_attr("f").name).graph  # there is no public way
            total += _flop(within, [within.outputs[i] for i in sorted(used)])
        elif op.type in _COUNTED:
            total += 2 * _COUNTED[op.type](op)
    return total


def _needed(graph: Any, results: list[Any]) -> list[tuple[Any, set[int]]]:
    """Find what `results` and assignments depend on, with the outputs that are used of each operation.

    The others never run, such as a gradient that nobody asks for.
    """
    found: dict[str, tuple[Any, set[int]]] = {}
    left: list[tuple[Any, int | None]] = [(tensor.op, tensor.value_index) for tensor in results]
    left += [(op, None) for op in graph.control_outputs]
    while left:
        op, index = left.pop()
        if op.name not in found:
            found[op.name] = (op, set())
            left += [(tensor.op, tensor.value_index) for tensor in op.inputs]
            left += [(before, None) for before in op.control_inputs]
        if index is not None:
            found[op.name][1].add(index)
    return list(found.values())


def _size(tensor: Any) -> int:
    return int(tensor.shape.num_elements() or 0)


def _by_kernel(tensor: Any, kernel: Any, *, depthwise: bool) -> int:
    """Count the terms of all output values of a convolution.

    Each value is a sum over the kernel's height, width and input channels.
    """
    height, width, depth = (int(n) for n in kernel[:3])
    return _size(tensor) * height * width * (1 if depthwise else depth)


def _kernel_of(op: Any) -> Any:
    """Return the kernel's shape of a filter gradient: its result, whose static shape its second input may hold."""
    shape = op.outputs[0].shape
    return shape if shape.is_fully_defined() else tf.get_static_value(op.inputs[1])


def _product(op: Any) -> int:
    a = op.inputs[0].shape
    transposed = bool(op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x"))
    return _size(op.outputs[0]) * int(a[-2 if transposed else -1])


_COUNTED: dict[str, Callable[[Any], int]] = {
    "Conv2D": lambda op: _by_kernel(op.outputs[0], op.inputs[1].shape, depthwise=False),
    "Conv2DBackpropInput": lambda op: _by_kernel(op.inputs[2], op.inputs[1].shape, depthwise=False),
    "Conv2DBackpropFilter": lambda op: _by_kernel(op.inputs[2], _kernel_of(op), depthwise=False),
    "DepthwiseConv2dNative": lambda op: _by_kernel(op.outputs[0], op.inputs[1].shape, depthwise=True),
    "DepthwiseConv2dNativeBackpropInput": lambda op: _by_kernel(op.inputs[2], op.inputs[1].shape, depthwise=True),
    "DepthwiseConv2dNativeBackpropFilter": lambda op: _by_kernel(op.inputs[2], _kernel_of(op), depthwise=True),
    "MatMul": _product,
    "BatchMatMulV2": _product,
}


def normalised(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """Normalise `x` [n, h, w, c] of any precision by its own statistics, in float32.

    Return the result in the precision of `x`, and mean and variance [c], float32.

    Features of less precision go through the library's one operation, which is what makes them worth having. It adds
    all of a channel up in one go, which is less exact than `moments` is, and in float32 it is no quicker.
    """
    if x.dtype == tf.float32:
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon), mean, variance
    y, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    count = tf.cast(tf.size(x) // tf.shape(x)[-1], tf.float32)
    return y, mean, unbiased * (count - 1.0) / count  # the operation gives the variance of a sample


def scaled(x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, epsilon: float) -> Any:
    """Normalise `x` [n, h, w, c] by given statistics [c], in its own precision."""
    y, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=mean, variance=variance, epsilon=epsilon, is_training=False
    )
    return y
