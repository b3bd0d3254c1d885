"""Reads the weights of an exported int8 graph back as real numbers, so that a training can go on from it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from baselines.networks.folding import Weights
from baselines.networks.lite_interpreter import interpreter
from baselines.networks.quiet import silenced
from harness.contracts.errors import BenchError

# How TFLite stores a kernel, by the operation that Keras' layer became: [out, h, w, in], [1, h, w, c] and [out, in].
_AS_KERAS = {"conv": (1, 2, 3, 0), "depth": (1, 2, 3, 0), "dense": (1, 0)}


def folded_weights(graph: bytes, model: Any) -> Weights:
    """Return kernels and biases of the int8 `graph` for the folded Keras model that it was exported from.

    They differ from what was exported by the rounding to int8, at most half a step of each kernel's scale.

    Raises:
        BenchError: the graph lacks a layer of the model, or holds it in another shape.
    """
    reader = interpreter(graph)
    with silenced():  # a notice that XNNPACK is used
        reader.allocate_tensors()
    tensors = reader.get_tensor_details()
    found: Weights = {}
    for layer in model.layers:
        if not layer.weights:
            continue
        kind = layer.name.rpartition("_")[2]
        kernel_name = rf"[^/;]+/{layer.name}(_\d+)?/(convolution|depthwise|MatMul)"
        bias_name = rf"(^|.*;)[^/;]+/{layer.name}(_\d+)?/BiasAdd(;.*)?"
        kernel = _values(reader, _one(tensors, kernel_name, np.int8, layer.name))
        bias = _values(reader, _one(tensors, bias_name, np.int32, layer.name))
        kernel = kernel.transpose(_AS_KERAS[kind])
        wanted = [tuple(variable.shape) for variable in layer.weights]
        if [kernel.shape, bias.shape] != wanted:
            raise BenchError(
                f"layer {layer.name} of the graph is {kernel.shape}, the recipe's is {wanted[0]}",
                cure="take the network settings of the recipe that the weights were trained by",
            )
        found[f"{layer.name}/kernel"], found[f"{layer.name}/bias"] = kernel, bias
    return found


def _one(tensors: list[dict[str, Any]], pattern: str, dtype: Any, layer: str) -> dict[str, Any]:
    fitting = [t for t in tensors if t["dtype"] == dtype and re.fullmatch(pattern, t["name"])]
    if len(fitting) != 1:
        raise BenchError(
            f"the graph has {len(fitting)} tensors for layer {layer}, and one is wanted",
            cure="take the network settings of the recipe that the weights were trained by",
        )
    return fitting[0]


def _values(reader: Any, tensor: dict[str, Any]) -> npt.NDArray[np.float32]:
    """Return a constant as float32: (integer - zero point) * scale, with a scale for each output channel."""
    by = tensor["quantization_parameters"]
    axes = [1] * len(tensor["shape"])
    axes[by["quantized_dimension"]] = -1
    scales, zeros = by["scales"].reshape(axes), by["zero_points"].reshape(axes)
    whole = reader.get_tensor(tensor["index"]).astype(np.float64)
    return np.asarray((whole - zeros) * scales, dtype=np.float32)
