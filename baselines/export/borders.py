"""Reads what a .tflite file says of its outputs: shapes and quantisation. No interpreter is needed for that."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import tflite

from harness.contracts.errors import BenchError


@dataclass(frozen=True)
class Output:
    """Describes one output; value = scale * (int8 - zero_point). The shape begins with the batch."""

    shape: tuple[int, ...]
    scale: float
    zero_point: int


def outputs(flat: bytes) -> list[Output]:
    """Return the outputs of a model, in its order.

    Raises:
        BenchError: the bytes are no model.
    """
    try:
        graph = tflite.Model.GetRootAs(flat).Subgraphs(0)
        return [_output(graph.Tensors(graph.Outputs(i))) for i in range(graph.OutputsLength())]
    except (struct.error, IndexError, AttributeError, TypeError, ValueError, OverflowError) as e:
        raise BenchError(f"no readable TensorFlow Lite model ({e})", cure="train the scheme again") from e


def output_index(flat: bytes, rank: int) -> int:
    """Return the position of the output tensor with `rank` dimensions (4 = feature map, 2 = logits)."""
    return next(i for i, one in enumerate(outputs(flat)) if len(one.shape) == rank)


def output_quantisation(flat: bytes, index: int) -> tuple[float, int]:
    """Return scale and zero point of an output: value = scale * (int8 - zero_point)."""
    one = outputs(flat)[index]
    return one.scale, one.zero_point


def output_shape(flat: bytes, index: int) -> tuple[int, ...]:
    """Return the shape of an output, batch first."""
    return outputs(flat)[index].shape


def _output(tensor: tflite.Tensor) -> Output:
    shape = tuple(int(tensor.Shape(i)) for i in range(tensor.ShapeLength()))
    known = tensor.Quantization()
    if known is None or not known.ScaleLength():
        return Output(shape, 0.0, 0)
    return Output(shape, float(known.Scale(0)), int(known.ZeroPoint(0)))
