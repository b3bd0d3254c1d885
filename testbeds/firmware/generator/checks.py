"""Gives an operator's lowering what it takes: checked tensors, quantisation constants, and a place for its layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.contracts.errors import BenchError

from . import refusals
from .layer import Emitted, Layer
from .model import Model, Operator, Tensor
from .quant import Requantizer, activation_range, requantizer


class Checks:
    """Holds the layers of one model so far, and answers the questions that every operator is asked."""

    def __init__(self, model: Model, variant: str) -> None:
        self.model, self.variant = model, variant
        self.layers: list[Layer] = []
        self.aliases: dict[int, int] = {}  # a reshaped tensor -> the tensor whose bytes it is

    def fail(self, op: Operator, what: str, cure: str = "export the model another way") -> BenchError:
        return BenchError(f"{self.model.where(op)} {what}", cure)

    def option(self, op: Operator, name: str, default: int = 0) -> int:
        return int(op.options.get(name, default))

    def quantised(self, op: Operator, tensor: Tensor) -> Tensor:
        """Return an int8 tensor with one scale."""
        if tensor.dtype != "int8":
            raise self.fail(op, f"uses '{tensor.name}' of type {tensor.dtype}", refusals.type_cure(tensor.dtype))
        if tensor.scales.size != 1 or tensor.zero_points.size != 1 or not tensor.scale > 0:
            raise self.fail(op, f"uses '{tensor.name}' without one scale and zero point", "quantise the model to int8")
        if not -128 <= tensor.zero_point <= 127:
            raise self.fail(op, f"uses '{tensor.name}' with zero point {tensor.zero_point}")
        return tensor

    def activation(self, op: Operator, tensor: Tensor, free: bool = False) -> Tensor:
        """Return an int8 activation with one scale: of batch 1 and up to four axes, or with `free` of any up to six."""
        self.quantised(op, tensor)
        if free and 0 <= len(tensor.shape) <= 6 and tensor.elements:
            return tensor
        if not 1 <= len(tensor.shape) <= 4 or tensor.elements == 0 or (len(tensor.shape) > 1 and tensor.shape[0] != 1):
            raise self.fail(op, f"uses '{tensor.name}' of shape {tensor.shape}", "export it with batch size 1")
        return tensor

    def operand(self, op: Operator, index: int, count: int, free: bool = False, outputs: int = 1) -> Tensor:
        """Return input `index` of an operator that must have at least `count` inputs, and `outputs` results."""
        if len(op.inputs) < count or op.inputs[index] < 0 or len(op.outputs) != outputs:
            raise self.fail(op, "has too few tensors")
        tensor = self.model.tensors[op.inputs[index]]
        if tensor.data is not None:
            raise self.fail(op, f"has the constant '{tensor.name}' where an activation belongs")
        return self.activation(op, tensor, free)

    def output(self, op: Operator, free: bool = False) -> Tensor:
        return self.activation(op, self.model.tensors[op.outputs[0]], free)

    def constant_activation(self, op: Operator, tensor: Tensor) -> np.ndarray:
        """Return the int8 values of a constant that stands where an activation may."""
        self.quantised(op, tensor)
        if tensor.data is None or tensor.data.size == 0 or len(tensor.shape) > 4:
            raise self.fail(op, f"has the constant '{tensor.name}' of shape {tensor.shape}")
        return tensor.data

    def constant(self, op: Operator, index: int, dtype: str) -> np.ndarray:
        if len(op.inputs) <= index or op.inputs[index] < 0:
            raise self.fail(op, "has too few tensors")
        tensor = self.model.tensors[op.inputs[index]]
        if tensor.data is None:
            raise self.fail(op, f"needs '{tensor.name}' to be a constant")
        if tensor.dtype != dtype:
            raise self.fail(op, f"has '{tensor.name}' of type {tensor.dtype}, not {dtype}")
        return tensor.data

    def weights(self, op: Operator, axis: int, x: Tensor, y: Tensor) -> tuple[np.ndarray, np.ndarray, Requantizer]:
        """Return (weights, bias, requantiser) of an operator with an inner product; `axis` is the output channels'."""
        data = self.constant(op, 1, "int8")
        tensor = self.model.tensors[op.inputs[1]]
        channels = data.shape[axis] if data.ndim > axis else 0
        if not channels or data.size == 0:
            raise self.fail(op, f"has weights '{tensor.name}' of shape {data.shape}")
        if tensor.scales.size not in (1, channels) or (tensor.scales.size > 1 and tensor.axis != axis):
            raise self.fail(op, f"has {tensor.scales.size} scales for {channels} channels of '{tensor.name}'")
        if np.any(tensor.zero_points != 0):
            raise self.fail(op, f"has weights '{tensor.name}' that are not symmetric", "quantise the model again")
        bias = np.zeros(channels, np.int32)
        if len(op.inputs) > 2 and op.inputs[2] >= 0:
            bias = self.constant(op, 2, "int32").reshape(-1)
            if bias.size != channels:
                raise self.fail(op, f"has {bias.size} biases for {channels} channels")
        factors = np.broadcast_to(x.scale * tensor.scales / y.scale, (channels,))
        q = requantizer(factors, y.zero_point, self.model.where(op))
        others = tuple(i for i in range(data.ndim) if i != axis)
        # The bound is what the accumulator can reach with any input, the folded zero point included.
        reach = np.abs(data.astype(np.int64)).sum(others) * 256 + np.abs(bias.astype(np.int64))
        if reach.max() >= 1 << 31:
            raise self.fail(op, "can overflow its 32-bit accumulator", "use smaller biases or fewer inputs")
        return data, bias, q

    def fused(self, op: Operator, y: Tensor) -> tuple[int, int]:
        kind = str(op.options.get("FusedActivationFunction", "NONE"))
        return activation_range(kind, y.scale, y.zero_point, self.model.where(op))

    def stride(self, op: Operator) -> tuple[int, int]:
        if (self.option(op, "DilationHFactor", 1), self.option(op, "DilationWFactor", 1)) != (1, 1):
            raise self.fail(op, "is dilated", "use dilation 1")
        return self.option(op, "StrideH"), self.option(op, "StrideW")

    def same(self, op: Operator) -> bool:
        padding = self.option(op, "Padding")
        if padding not in (0, 1):
            raise self.fail(op, f"has padding {padding}")
        return padding == 0

    def name(self, op: Operator, suffix: str | None = None) -> str:
        """Return the C name of a layer, with nothing but letters behind its number, as profiles read it."""
        return f"layer_{op.index}_{suffix or op.kind.lower().replace('_', '')}"

    def append(
        self,
        op: Operator,
        name: str,
        emitted: Emitted,
        macs: int,
        inputs: list[int],
        in_place: Sequence[int] = (),
        output: int | None = None,
    ) -> None:
        places = ", ".join(f"arena + @{i}@" for i in inputs)
        out = op.outputs[0] if output is None else output
        call = f"{name}({places}, arena + @{out}@);"
        self.layers.append(Layer(name, op.kind, call, macs, emitted, inputs, out, tuple(in_place)))

    def four(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (1,) * (4 - len(shape)) + shape

    def check_shape(self, op: Operator, y: Tensor, hwc: tuple[int, int, int]) -> None:
        if y.hwc() != hwc:
            raise self.fail(op, f"gives {hwc}, but '{y.name}' is {y.hwc()}")
