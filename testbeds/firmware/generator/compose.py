"""Composes quantised networks with random weights, operator by operator, as the TFLite converter writes them.

Scales are chosen so that activations spread over int8 instead of saturating, which is all that a benchmark or a test of
kernels needs of weights.
"""

from __future__ import annotations

import numpy as np

from .model import Model, Operator, Tensor
from .shapes import window


class Composer:
    """Builds a `Model`; each method adds an operator and returns its output's tensor index."""

    def __init__(self, shape: tuple[int, int, int], seed: int = 0, scale: float = 1 / 255, zero_point: int = -128):
        self.rng = np.random.default_rng(seed)
        self.model = Model([], [], [], [])
        self.gain = 1.0  # on the results of convolutions and dense layers
        self.model.inputs.append(self.tensor("input", (1, *shape), scale, zero_point))

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        scale: float | np.ndarray | None,
        zero_point: int = 0,
        data: np.ndarray | None = None,
        axis: int = 0,
        dtype: str = "int8",
    ) -> int:
        scales = np.zeros(0) if scale is None else np.atleast_1d(np.asarray(scale, np.float32)).astype(np.float64)
        zeros = np.full(scales.size, zero_point, np.int64)
        index = len(self.model.tensors)
        self.model.tensors.append(Tensor(index, name, tuple(shape), dtype, scales, zeros, axis, data))
        return index

    def operator(
        self, kind: str, inputs: list[int], shape: tuple[int, ...], scale: float, zero: int, **options: object
    ) -> int:
        out = self.tensor(f"{kind.lower()}_{len(self.model.operators)}", shape, scale, zero)
        self.model.operators.append(Operator(len(self.model.operators), kind, inputs, [out], dict(options)))
        return out

    def finish(self, *outputs: int) -> Model:
        self.model.outputs.extend(outputs)
        return self.model

    def output_scale(self, activation: str) -> tuple[float, int]:
        """Return (scale, zero point) of a range that fits the activation: 0..6 for ReLU6 and ReLU, else about -4..4."""
        return (6 / 255, -128) if activation.startswith("RELU") else (8 / 255, int(self.rng.integers(-10, 11)))

    def weights(
        self, x: Tensor, shape: tuple[int, ...], axis: int, inputs: int, out_scale: float, per_channel: bool
    ) -> tuple[int, int]:
        """Add (weights, bias) tensors with scales that make results with a spread of about 40 steps."""
        channels = shape[axis]
        data = self.rng.integers(-127, 128, shape).astype(np.int8)
        spread = 73.0 * 60.0 * np.sqrt(inputs)  # of the accumulator, for inputs spread like those of a layer before
        factor = self.gain * 40.0 / spread * self.rng.uniform(0.7, 1.4, channels if per_channel else 1)
        scales = (factor * out_scale / x.scale).astype(np.float32)
        w = self.tensor("weights", shape, scales, 0, data, axis)
        bias = self.rng.integers(-int(spread / 3), int(spread / 3) + 1, channels).astype(np.int32)
        b = self.tensor("bias", (channels,), (scales * np.float32(x.scale)), 0, bias, 0, "int32")
        return w, b

    def conv(
        self,
        x: int,
        channels: int,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        same: bool = True,
        activation: str = "RELU",
        per_channel: bool = True,
        depthwise: bool = False,
        multiplier: int = 1,
    ) -> int:
        source = self.model.tensors[x]
        kh, kw = (kernel, kernel) if isinstance(kernel, int) else kernel
        sy, sx = (stride, stride) if isinstance(stride, int) else stride
        win = window(source.hwc(), (kh, kw), (sy, sx), same, "composed")
        scale, zero = self.output_scale(activation)
        options: dict[str, object] = {
            "Padding": 0 if same else 1,
            "StrideH": sy,
            "StrideW": sx,
            "DilationHFactor": 1,
            "DilationWFactor": 1,
            "FusedActivationFunction": activation,
        }
        if depthwise:
            channels = win.channels * multiplier
            w, b = self.weights(source, (1, kh, kw, channels), 3, kh * kw, scale, per_channel)
            options["DepthMultiplier"] = multiplier
        else:
            w, b = self.weights(source, (channels, kh, kw, win.channels), 0, kh * kw * win.channels, scale, per_channel)
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        return self.operator(kind, [x, w, b], (1, win.out_height, win.out_width, channels), scale, zero, **options)

    def dense(self, x: int, outputs: int, activation: str = "NONE", per_channel: bool = False) -> int:
        source = self.model.tensors[x]
        scale, zero = self.output_scale(activation)
        inputs = source.shape[-1]
        w, b = self.weights(source, (outputs, inputs), 0, inputs, scale, per_channel)
        options = {"FusedActivationFunction": activation, "KeepNumDims": False, "WeightsFormat": 0}
        return self.operator("FULLY_CONNECTED", [x, w, b], (source.elements // inputs, outputs), scale, zero, **options)

    def add(self, a: int, b: int, activation: str = "RELU") -> int:
        scale, zero = self.output_scale(activation)
        shape = self.model.tensors[a].shape
        return self.operator("ADD", [a, b], shape, 1.2 * scale, zero, FusedActivationFunction=activation)

    def average_pool(self, x: int, kernel: int, stride: int | None = None, same: bool = False) -> int:
        return self.pool("AVERAGE_POOL_2D", x, kernel, stride, same)

    def pool(
        self, kind: str, x: int, kernel: int, stride: int | None = None, same: bool = False, activation: str = "NONE"
    ) -> int:
        """Add AVERAGE_POOL_2D or MAX_POOL_2D."""
        source = self.model.tensors[x]
        stride = stride or kernel
        win = window(source.hwc(), (kernel, kernel), (stride, stride), same, "composed")
        return self.operator(
            kind,
            [x],
            (1, win.out_height, win.out_width, win.channels),
            source.scale,
            source.zero_point,
            Padding=0 if same else 1,
            StrideH=stride,
            StrideW=stride,
            FilterHeight=kernel,
            FilterWidth=kernel,
            FusedActivationFunction=activation,
        )

    def mean(self, x: int) -> int:
        source = self.model.tensors[x]
        axes = self.tensor("axes", (2,), None, data=np.array([1, 2], np.int32), dtype="int32")
        shape = (1, source.shape[3])
        return self.operator("MEAN", [x, axes], shape, source.scale * 0.8, source.zero_point, KeepDims=False)

    def reshape(self, x: int, shape: tuple[int, ...]) -> int:
        source = self.model.tensors[x]
        wanted = self.tensor("shape", (len(shape),), None, data=np.array(shape, np.int32), dtype="int32")
        return self.operator("RESHAPE", [x, wanted], shape, source.scale, source.zero_point)

    def softmax(self, x: int) -> int:
        return self.operator("SOFTMAX", [x], self.model.tensors[x].shape, 1 / 256, -128, Beta=1.0)

    def pad(self, x: int, pads: tuple[tuple[int, int], ...]) -> int:
        source = self.model.tensors[x]
        table = self.tensor("paddings", (len(pads), 2), None, data=np.array(pads, np.int32), dtype="int32")
        shape = tuple(s + a + b for s, (a, b) in zip(source.shape, pads, strict=True))
        return self.operator("PAD", [x, table], shape, source.scale, source.zero_point)

    def strided_slice(self, x: int, begin: tuple[int, ...], end: tuple[int, ...], step: tuple[int, ...]) -> int:
        source = self.model.tensors[x]
        constants = [
            self.tensor("bounds", (len(v),), None, data=np.array(v, np.int32), dtype="int32")
            for v in (begin, end, step)
        ]
        picked = [range(s)[b:e:t] for s, b, e, t in zip(source.shape, begin, end, step, strict=True)]
        shape = tuple(len(p) for p in picked)
        masks = {"BeginMask": 0, "EndMask": 0, "EllipsisMask": 0, "NewAxisMask": 0, "ShrinkAxisMask": 0}
        return self.operator("STRIDED_SLICE", [x, *constants], shape, source.scale, source.zero_point, **masks)

    def activation(self, x: int, kind: str, **options: float) -> int:
        """Add RELU, RELU6, QUANTIZE (a change of scale), LOGISTIC, TANH, HARD_SWISH or LEAKY_RELU (Alpha) alone."""
        if "Alpha" in options:
            options["Alpha"] = float(np.float32(options["Alpha"]))  # as a file holds it
        source = self.model.tensors[x]
        scale, zero = {
            "LOGISTIC": (1 / 256, -128),
            "TANH": (1 / 128, 0),
            "HARD_SWISH": (0.8 * source.scale, source.zero_point // 2),
            "LEAKY_RELU": (0.9 * source.scale, source.zero_point // 2),
        }.get(kind) or self.output_scale(kind)
        return self.operator(kind, [x], source.shape, scale, zero, **options)

    def same(self, kind: str, inputs: list[int], shape: tuple[int, ...], **options: object) -> int:
        """Add an operator that moves values: its output has the scale of its first input."""
        source = self.model.tensors[inputs[0]]
        return self.operator(kind, inputs, shape, source.scale, source.zero_point, **options)

    def numbers(self, *values: int) -> int:
        """Add a constant int32 vector."""
        return self.tensor("numbers", (len(values),), None, data=np.array(values, np.int32), dtype="int32")

    def constant(self, shape: tuple[int, ...], scale: float, zero: int) -> int:
        """Add a constant int8 operand."""
        data = self.rng.integers(-128, 128, shape).astype(np.int8)
        return self.tensor("constant", shape, scale, zero, data)

    def pair(self, kind: str, a: int, b: int, activation: str = "NONE") -> int:
        """Add ADD, SUB or MUL of two operands of shapes that broadcast."""
        first, second = self.model.tensors[a], self.model.tensors[b]
        shape = tuple(int(n) for n in np.broadcast_shapes(first.shape, second.shape))
        scale = 60 * first.scale * second.scale if kind == "MUL" else first.scale + second.scale
        return self.operator(kind, [a, b], shape, scale, 7, FusedActivationFunction=activation)

    def concatenation(self, xs: list[int], axis: int) -> int:
        first = self.model.tensors[xs[0]]
        shape = list(first.shape)
        shape[axis] = sum(self.model.tensors[x].shape[axis] for x in xs)
        return self.same("CONCATENATION", xs, tuple(shape), Axis=axis, FusedActivationFunction="NONE")

    def resize(self, x: int, height: int, width: int, **options: object) -> int:
        """Add RESIZE_NEAREST_NEIGHBOR; its options are AlignCorners and HalfPixelCenters."""
        channels = self.model.tensors[x].shape[3]
        wanted = self.numbers(height, width)
        return self.same("RESIZE_NEAREST_NEIGHBOR", [x, wanted], (1, height, width, channels), **options)

    def svdf(self, x: int, units: int, rank: int, memory: int) -> int:
        """Add SVDF with int8 features and a state of int16."""
        source = self.model.tensors[x]
        filters, inputs = units * rank, source.shape[1]
        features = self.rng.integers(-127, 128, (filters, inputs)).astype(np.int8)
        time = self.rng.integers(-32767, 32768, (filters, memory)).astype(np.int16)
        spread = 73.0 * 60.0 * np.sqrt(inputs)
        w = self.tensor("features", features.shape, 0.01, 0, features)
        state_scale = source.scale * 0.01 * spread / 8000
        t = self.tensor("time", time.shape, 1e-4, 0, time, dtype="int16")
        bias = self.rng.integers(-(10**6), 10**6, units).astype(np.int32)
        b = self.tensor("bias", (units,), state_scale * 1e-4, 0, bias, dtype="int32")
        state = self.tensor("state", (1, filters * memory), state_scale, 0, dtype="int16")
        self.model.tensors[state].variable = True
        scale = state_scale * 1e-4 * 8000 * 19000 * np.sqrt(memory * rank) / 40
        options = {"Rank": rank, "FusedActivationFunction": "RELU"}
        return self.operator("SVDF", [x, w, t, b, state], (1, units), float(scale), -100, **options)
