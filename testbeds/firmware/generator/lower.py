"""Lowers a file's operators to layers: checks, quantisation constants, and the choice of a kernel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.contracts.errors import BenchError

from . import elementwise, movement, pools, refusals, svdf
from .checks import Checks
from .conv import Conv
from .conv_spec import ConvSpec
from .dense import Dense, DenseSpec
from .depthwise import Depthwise, DepthwiseSpec, PlainDepthwise
from .layer import Layer
from .model import Model, Operator
from .shapes import window


class Lowering(Checks):
    """Lowers the operators of one model in order: what has an inner product here, the rest by its module."""

    def __init__(self, model: Model, variant: str) -> None:
        super().__init__(model, variant)
        self.kinds: dict[str, Callable[[Operator], None]] = {
            "CONV_2D": self.conv,
            "DEPTHWISE_CONV_2D": self.depthwise,
            "FULLY_CONNECTED": self.dense,
        }
        for others in (elementwise.KINDS, movement.KINDS, pools.KINDS, svdf.KINDS):
            self.kinds.update({kind: partial(lower, self) for kind, lower in others.items()})

    def run(self) -> list[Layer]:
        for op in self.model.operators:
            lower = self.kinds.get(op.kind)
            if lower is None:
                raise BenchError(f"{self.model.where(op)} has no kernel", refusals.cure(op.kind))
            lower(op)
        return self.layers

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
