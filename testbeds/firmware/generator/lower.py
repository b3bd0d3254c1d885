"""From operators of a file to layers: checks, quantisation constants, and the choice of a kernel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.contracts.errors import BenchError

from . import simple
from .conv import Conv
from .conv_spec import ConvSpec
from .dense import Dense, DenseSpec
from .depthwise import Depthwise, DepthwiseSpec, PlainDepthwise
from .layer import Emitted, Layer
from .model import Model, Operator, Tensor
from .quant import Requantizer, activation_range, requantizer
from .shapes import window


class Lowering:
    """Lowers the operators of one model, in order."""

    def __init__(self, model: Model, variant: str) -> None:
        self.model, self.variant = model, variant
        self.layers: list[Layer] = []
        self.aliases: dict[int, int] = {}  # a reshaped tensor -> the tensor whose bytes it is
        self.kinds: dict[str, Callable[[Operator], None]] = {
            "CONV_2D": self.conv,
            "DEPTHWISE_CONV_2D": self.depthwise,
            "FULLY_CONNECTED": self.dense,
            "ADD": self.add,
            "AVERAGE_POOL_2D": self.average_pool,
            "MEAN": self.mean,
            "PAD": self.pad,
            "STRIDED_SLICE": self.strided_slice,
            "RESHAPE": self.reshape,
            "SOFTMAX": self.softmax,
            "RELU": self.scale,
            "RELU6": self.scale,
            "QUANTIZE": self.scale,
        }

    def run(self) -> list[Layer]:
        for op in self.model.operators:
            lower = self.kinds.get(op.kind)
            if lower is None:
                known = ", ".join(self.kinds)
                raise BenchError(f"{self.model.where(op)} has no kernel", f"the generator has {known}")
            lower(op)
        return self.layers

    # ---- helpers ---------------------------------------------------------------------------------------------

    def fail(self, op: Operator, what: str, cure: str = "export the model another way") -> BenchError:
        return BenchError(f"{self.model.where(op)} {what}", cure)

    def option(self, op: Operator, name: str, default: int = 0) -> int:
        return int(op.options.get(name, default))

    def activation(self, op: Operator, tensor: Tensor) -> Tensor:
        """An int8 activation of batch 1 with one scale."""
        if tensor.dtype != "int8":
            raise self.fail(op, f"uses '{tensor.name}' of type {tensor.dtype}", "quantise the model to int8")
        if tensor.scales.size != 1 or tensor.zero_points.size != 1 or not tensor.scale > 0:
            raise self.fail(op, f"uses '{tensor.name}' without one scale and zero point", "quantise the model to int8")
        if not -128 <= tensor.zero_point <= 127:
            raise self.fail(op, f"uses '{tensor.name}' with zero point {tensor.zero_point}")
        if not 1 <= len(tensor.shape) <= 4 or tensor.elements == 0 or (len(tensor.shape) > 1 and tensor.shape[0] != 1):
            raise self.fail(op, f"uses '{tensor.name}' of shape {tensor.shape}", "export it with batch size 1")
        return tensor

    def operand(self, op: Operator, index: int, count: int) -> Tensor:
        """Input `index` of an operator that has at least `count`."""
        if len(op.inputs) < count or op.inputs[index] < 0 or len(op.outputs) != 1:
            raise self.fail(op, "has too few tensors")
        tensor = self.model.tensors[op.inputs[index]]
        if tensor.data is not None:
            raise self.fail(op, f"has the constant '{tensor.name}' where an activation belongs")
        return self.activation(op, tensor)

    def output(self, op: Operator) -> Tensor:
        return self.activation(op, self.model.tensors[op.outputs[0]])

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
        """(weights, bias, requantiser) of an operator with an inner product; `axis` is that of output channels."""
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
        # What the accumulator can reach with any input, the folded zero point included.
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

    def name(self, op: Operator, suffix: str) -> str:
        return f"layer_{op.index}_{suffix}"

    def append(self, op: Operator, name: str, emitted: Emitted, macs: int, inputs: list[int]) -> None:
        places = ", ".join(f"arena + @{i}@" for i in inputs)
        call = f"{name}({places}, arena + @{op.outputs[0]}@);"
        self.layers.append(Layer(name, op.kind, call, macs, emitted, inputs, op.outputs[0]))

    def check_shape(self, op: Operator, y: Tensor, hwc: tuple[int, int, int]) -> None:
        if y.hwc() != hwc:
            raise self.fail(op, f"gives {hwc}, but '{y.name}' is {y.hwc()}")

    # ---- operators -------------------------------------------------------------------------------------------

    def conv(self, op: Operator) -> None:
        x, y = self.operand(op, 0, 2), self.output(op)
        weights, bias, q = self.weights(op, 0, x, y)
        if weights.ndim != 4 or weights.shape[3] != x.hwc()[2]:
            raise self.fail(op, f"has weights of shape {weights.shape} for an input of shape {x.shape}")
        n, kh, kw, _ = weights.shape
        win = window(x.hwc(), (kh, kw), self.stride(op), self.same(op), self.model.where(op))
        self.check_shape(op, y, (win.out_height, win.out_width, n))
        low, high = self.fused(op, y)
        macs = win.out_height * win.out_width * weights.size
        if win.contiguous and win.height * win.width == 1:
            dense = DenseSpec(weights.reshape(n, -1), bias, q, x.zero_point, low, high)
            name = self.name(op, "conv")
            self.append(op, name, Dense(dense, name).emit(), macs, [x.index])
            return
        name = self.name(op, "conv")
        spec = ConvSpec(win, weights, bias, q, x.zero_point, low, high)
        self.append(op, name, Conv(spec, name, self.variant).emit(), macs, [x.index])

    def depthwise(self, op: Operator) -> None:
        x, y = self.operand(op, 0, 2), self.output(op)
        weights, bias, q = self.weights(op, 3, x, y)
        channels = x.hwc()[2]
        if weights.ndim != 4 or weights.shape[0] != 1 or weights.shape[3] % channels:
            raise self.fail(op, f"has weights of shape {weights.shape} for an input of shape {x.shape}")
        _, kh, kw, n = weights.shape
        win = window(x.hwc(), (kh, kw), self.stride(op), self.same(op), self.model.where(op))
        self.check_shape(op, y, (win.out_height, win.out_width, n))
        low, high = self.fused(op, y)
        spec = DepthwiseSpec(win, weights[0], bias, q, x.zero_point, low, high, n // channels)
        name = self.name(op, "depthwise")
        emit = Depthwise(spec, name, self.variant) if Depthwise.fits(spec) else PlainDepthwise(spec, name)
        self.append(op, name, emit.emit(), win.out_height * win.out_width * weights.size, [x.index])

    def dense(self, op: Operator) -> None:
        x, y = self.operand(op, 0, 2), self.output(op)
        if self.option(op, "WeightsFormat"):
            raise self.fail(op, "has shuffled weights")
        weights, bias, q = self.weights(op, 0, x, y)
        if weights.ndim != 2 or x.elements % weights.shape[1]:
            raise self.fail(op, f"has weights of shape {weights.shape} for an input of shape {x.shape}")
        rows = x.elements // weights.shape[1]
        if y.elements != rows * weights.shape[0]:
            raise self.fail(op, f"gives {rows * weights.shape[0]} values, but '{y.name}' has {y.elements}")
        low, high = self.fused(op, y)
        name = self.name(op, "dense")
        if rows > 1 and weights.shape[1] % 4:
            raise self.fail(op, f"has {rows} rows of {weights.shape[1]} inputs", "use a multiple of 4 inputs")
        spec = DenseSpec(weights, bias, q, x.zero_point, low, high, rows)
        self.append(op, name, Dense(spec, name).emit(), rows * weights.size, [x.index])

    def add(self, op: Operator) -> None:
        a, b, y = self.operand(op, 0, 2), self.operand(op, 1, 2), self.output(op)
        if a.elements != b.elements or a.hwc() != b.hwc() or y.elements != a.elements:
            raise self.fail(op, f"adds shapes {a.shape} and {b.shape}", "add tensors of one shape")
        low, high = self.fused(op, y)
        scales, zeros = (a.scale, b.scale, y.scale), (a.zero_point, b.zero_point, y.zero_point)
        constants = simple.add_constants(scales, zeros, self.model.where(op))
        name = self.name(op, "add")
        self.append(op, name, simple.emit_add(name, y.elements, constants, low, high), 0, [a.index, b.index])

    def pooled(
        self,
        op: Operator,
        x: Tensor,
        y: Tensor,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        same: bool,
        low: int,
        high: int,
    ) -> None:
        win = window(x.hwc(), kernel, stride, same, self.model.where(op))
        if y.elements != win.out_height * win.out_width * win.channels:
            raise self.fail(op, f"gives {win.out_height}x{win.out_width}x{win.channels}, but '{y.name}' is {y.shape}")
        values = min(kernel[0], win.height) * min(kernel[1], win.width)
        if values > 1 << 14:
            raise self.fail(op, f"has a window of {values} values")
        counts = np.arange(1, values + 1)
        q = requantizer(x.scale / y.scale / counts, y.zero_point, self.model.where(op))
        name = self.name(op, "mean" if op.kind == "MEAN" else "pool")
        self.append(op, name, simple.emit_pool(name, win, x.zero_point, q, low, high), 0, [x.index])

    def average_pool(self, op: Operator) -> None:
        x, y = self.operand(op, 0, 1), self.output(op)
        low, high = self.fused(op, y)
        kernel = self.option(op, "FilterHeight"), self.option(op, "FilterWidth")
        self.pooled(op, x, y, kernel, self.stride(op), self.same(op), low, high)

    def mean(self, op: Operator) -> None:
        x, y = self.operand(op, 0, 2), self.output(op)
        axes = sorted({int(a) % len(x.shape) for a in self.constant(op, 1, "int32").reshape(-1)})
        if len(x.shape) != 4 or axes != [1, 2]:
            raise self.fail(op, f"is over axes {axes} of shape {x.shape}", "take the mean over height and width")
        height, width, _ = x.hwc()
        self.pooled(op, x, y, (height, width), (1, 1), False, -128, 127)

    def four(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (1,) * (4 - len(shape)) + shape

    def pad(self, op: Operator) -> None:
        x, y = self.operand(op, 0, 2), self.output(op)
        index = op.inputs[1]
        pads = self.constant(op, 1, self.model.tensors[index].dtype if index >= 0 else "int32")
        if pads.dtype not in (np.int32, np.int64) or pads.shape != (len(x.shape), 2) or pads.min() < 0:
            raise self.fail(op, "has paddings that fit no tensor")
        if (x.scale, x.zero_point) != (y.scale, y.zero_point):
            raise self.fail(op, "changes the scale", "quantise the model again")
        full = np.zeros((4, 2), np.int64)
        full[4 - len(x.shape) :] = pads
        shape = self.four(x.shape)
        if tuple(s + int(a) + int(b) for s, (a, b) in zip(shape, full, strict=True)) != self.four(y.shape):
            raise self.fail(op, f"pads {x.shape} to another shape than {y.shape}")
        name = self.name(op, "pad")
        self.append(op, name, simple.emit_pad(name, shape, full, x.zero_point), 0, [x.index])

    def strided_slice(self, op: Operator) -> None:
        x, y = self.operand(op, 0, 4), self.output(op)
        begin, end, step = (self.constant(op, i, "int32").reshape(-1).tolist() for i in (1, 2, 3))
        rank = len(x.shape)
        if not len(begin) == len(end) == len(step) == rank or 0 in step:
            raise self.fail(op, "has bounds that fit no tensor")
        if self.option(op, "EllipsisMask") or self.option(op, "NewAxisMask") or self.option(op, "Offset"):
            raise self.fail(op, "uses an ellipsis, a new axis or offsets", "slice with plain bounds")
        if (x.scale, x.zero_point) != (y.scale, y.zero_point):
            raise self.fail(op, "changes the scale", "quantise the model again")
        masks = [self.option(op, f"{m}Mask") for m in ("Begin", "End", "ShrinkAxis")]
        firsts, counts = [], []
        for i, size in enumerate(x.shape):
            if masks[2] >> i & 1:
                picked = range(size)[begin[i] : begin[i] + 1 or None] if -size <= begin[i] < size else range(0)
                step[i] = 1
            else:
                first = None if masks[0] >> i & 1 else begin[i]
                last = None if masks[1] >> i & 1 else end[i]
                picked = range(size)[first : last : step[i]]
            if not picked:
                raise self.fail(op, f"takes nothing from axis {i} of {x.shape}")
            firsts.append(picked[0])
            counts.append(len(picked))
        if int(np.prod(counts)) != y.elements:
            raise self.fail(op, f"takes {counts}, but '{y.name}' is {y.shape}")
        fill = 4 - rank
        emitted = simple.emit_slice(
            name := self.name(op, "slice"),
            self.four(x.shape),
            [0] * fill + firsts,
            [1] * fill + step,
            [1] * fill + counts,
        )
        self.append(op, name, emitted, 0, [x.index])

    def reshape(self, op: Operator) -> None:
        x, y = self.operand(op, 0, 1), self.output(op)
        if x.elements != y.elements or (x.scale, x.zero_point) != (y.scale, y.zero_point):
            raise self.fail(op, f"makes {y.shape} of {x.shape}")
        self.aliases[y.index] = x.index

    def softmax(self, op: Operator) -> None:
        x, y = self.operand(op, 0, 1), self.output(op)
        beta = float(op.options.get("Beta", 0.0))
        n = x.shape[-1]
        if not 0 < beta < 1e6 or x.elements != y.elements or n > 4096:
            raise self.fail(op, f"over {n} values with beta {beta}")
        if abs(y.scale - 1 / 256) > 1e-9 or y.zero_point != -128:
            raise self.fail(op, "has an output scale other than 1/256", "quantise the model again")
        name = self.name(op, "softmax")
        table = simple.softmax_table(x.scale, beta, n)
        self.append(op, name, simple.emit_softmax(name, table, x.elements // n, n), 0, [x.index])

    def scale(self, op: Operator) -> None:
        x, y = self.operand(op, 0, 1), self.output(op)
        if x.elements != y.elements:
            raise self.fail(op, f"makes {y.shape} of {x.shape}")
        q = requantizer(np.array([x.scale / y.scale]), y.zero_point, self.model.where(op))
        kind = op.kind if op.kind in ("RELU", "RELU6") else "NONE"
        low, high = activation_range(kind, y.scale, y.zero_point, self.model.where(op))
        name = self.name(op, "scale")
        self.append(op, name, simple.emit_scale(name, y.elements, x.zero_point, q, low, high), 0, [x.index])
