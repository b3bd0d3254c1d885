"""Plain numpy answers for every operator, written apart from the generator: exact integers, one rounding, half up."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np

from testbeds.firmware.generator import lookup


def constants(factors, zero_point):
    """(multipliers, shift) for real factors: the largest shift up to 22 whose multipliers all stay below 2**31."""
    factors = np.asarray(factors, np.float64)
    shift = 22
    while round(float(factors.max()) * 2.0 ** (32 + shift)) >= 2**31:
        shift -= 1
    return [floor(Fraction(float(f)) * Fraction(2) ** (32 + shift) + Fraction(1, 2)) for f in factors], shift


def requantise(acc, factors, zero_point, low, high):
    """acc: integers [..., channels] -> int8, rounded once: floor(acc * m / 2**(32 + s) + 1/2)."""
    multipliers, shift = constants(factors, zero_point)
    pre = max(0, 1 - shift)
    acc = np.asarray(acc).astype(np.int64)
    if pre:
        limit = 1 << (31 - pre)
        acc = np.clip(acc, -limit, limit - 1)
    assert np.abs(acc).max(initial=0) < 2**31  # so that products fit 63 bits
    m = np.array(multipliers, dtype=np.int64)
    total = 32 + shift
    y = (acc * m + (1 << (total - 1))) >> total
    return np.clip(y + zero_point, low, high).astype(np.int8)


def act_range(kind, scale, zero):
    low, high = -128, 127
    if kind in ("RELU", "RELU6"):
        low = max(low, zero)
    if kind == "RELU6":
        high = min(high, zero + floor(6.0 / scale + 0.5))
    return low, high


def windows(x, kh, kw, sy, sx, same, fill):
    """[oh, ow, kh, kw, c] of an image [h, w, c], padded as TensorFlow pads."""
    h, w, _ = x.shape
    if same:
        oh, ow = -(-h // sy), -(-w // sx)
        ph, pw = max(0, (oh - 1) * sy + kh - h), max(0, (ow - 1) * sx + kw - w)
        x = np.pad(x, ((ph // 2, ph - ph // 2), (pw // 2, pw - pw // 2), (0, 0)), constant_values=fill)
    else:
        oh, ow = (h - kh) // sy + 1, (w - kw) // sx + 1
    rows = np.arange(oh)[:, None] * sy + np.arange(kh)
    columns = np.arange(ow)[:, None] * sx + np.arange(kw)
    return x[rows[:, None, :, None], columns[None, :, None, :]]


class Oracle:
    """Runs a parsed model."""

    def __init__(self, model):
        self.model = model

    def run(self, x, states=None):
        """Values of all tensors; `states` (tensor -> int16 values) are read and carried on."""
        values = {self.model.inputs[0]: np.asarray(x, np.int8)}
        self.states = {} if states is None else states
        for op in self.model.operators:
            values |= dict(zip(op.outputs, self.steps(op, values), strict=True))
        return values

    def steps(self, op, values):
        """The outputs of one operator from the values of its inputs."""
        if len(op.outputs) == 1:
            return [self.step(op, values)]
        t = self.model.tensors
        x = values[op.inputs[-1]]
        axis = int(t[op.inputs[0]].data.reshape(-1)[0]) if op.kind == "SPLIT" else op.options["Axis"]
        parts = np.split(x, len(op.outputs), axis)
        return [part.reshape(t[y].shape) for part, y in zip(parts, op.outputs, strict=True)]

    def step(self, op, values):
        """The output of one operator from the values of its inputs."""
        t = self.model.tensors
        ins = [values[i] if i in values else (t[i].data if i >= 0 else None) for i in op.inputs]
        tensors = [t[i] if i >= 0 else None for i in op.inputs]
        y = t[op.outputs[0]]
        out = getattr(self, op.kind.lower())(op, ins, tensors, y)
        return np.asarray(out).astype(np.int8).reshape(y.shape)

    def limits(self, op, y):
        return act_range(op.options.get("FusedActivationFunction", "NONE"), y.scale, y.zero_point)

    def patches(self, op, image, kernel, fill):
        o = op.options
        return windows(image.astype(np.int64), *kernel, o["StrideH"], o["StrideW"], o["Padding"] == 0, fill)

    def conv_2d(self, op, ins, ts, y):
        x, w = ins[0][0], ins[1].astype(np.int64)
        p = self.patches(op, x, w.shape[1:3], ts[0].zero_point) - ts[0].zero_point
        # Products of floats are exact here: all sums stay far below 2**53.
        flat = p.reshape(-1, w[0].size).astype(np.float64) @ w.reshape(w.shape[0], -1).T.astype(np.float64)
        acc = flat.reshape(*p.shape[:2], w.shape[0]).astype(np.int64)
        if len(ins) > 2 and ins[2] is not None:
            acc = acc + ins[2].astype(np.int64)
        factors = np.broadcast_to(ts[0].scale * ts[1].scales / y.scale, (w.shape[0],))
        return requantise(acc, factors, y.zero_point, *self.limits(op, y))

    def depthwise_conv_2d(self, op, ins, ts, y):
        x, w = ins[0][0], ins[1][0].astype(np.int64)
        multiplier = w.shape[2] // x.shape[2]
        p = self.patches(op, x, w.shape[:2], ts[0].zero_point) - ts[0].zero_point
        acc = np.einsum("hwabo,abo->hwo", np.repeat(p, multiplier, axis=4), w)
        if len(ins) > 2 and ins[2] is not None:
            acc = acc + ins[2].astype(np.int64)
        factors = np.broadcast_to(ts[0].scale * ts[1].scales / y.scale, (w.shape[2],))
        return requantise(acc, factors, y.zero_point, *self.limits(op, y))

    def fully_connected(self, op, ins, ts, y):
        w = ins[1].astype(np.int64)
        x = ins[0].reshape(-1, w.shape[1]).astype(np.int64) - ts[0].zero_point
        acc = x @ w.T
        if len(ins) > 2 and ins[2] is not None:
            acc = acc + ins[2].astype(np.int64)
        factors = np.broadcast_to(ts[0].scale * ts[1].scales / y.scale, (w.shape[0],))
        return requantise(acc, factors, y.zero_point, *self.limits(op, y))

    def add(self, op, ins, ts, y):
        a, b = ts[0].scale / y.scale, ts[1].scale / y.scale
        shift = 22
        while round(max(a, b) * 2.0**shift) >= 2**21:
            shift -= 1
        ma, mb = (floor(Fraction(v) * 2**shift + Fraction(1, 2)) for v in (a, b))
        acc = (ins[0].astype(np.int64) - ts[0].zero_point) * ma + (ins[1].astype(np.int64) - ts[1].zero_point) * mb
        low, high = self.limits(op, y)
        return np.clip(((acc + (1 << (shift - 1))) >> shift) + y.zero_point, low, high)

    def pooled(self, x, ts, y, kernel, stride, same, limits):
        marked = windows(np.ones_like(x, np.int64), *kernel, *stride, same, 0)
        count = marked.sum((2, 3))
        acc = (windows(x.astype(np.int64) - ts[0].zero_point, *kernel, *stride, same, 0) * marked).sum((2, 3))
        counts = np.arange(1, min(kernel[0], x.shape[0]) * min(kernel[1], x.shape[1]) + 1)
        multipliers, shift = constants(ts[0].scale / y.scale / counts, 0)
        out = np.zeros_like(acc)
        for n in np.unique(count):
            factor = np.int64(multipliers[n - 1])
            pre = max(0, 1 - shift)
            limit = 1 << (31 - pre) if pre else 1 << 40
            scaled = (np.clip(acc, -limit, limit - 1) * factor + (1 << (31 + shift))) >> (32 + shift)
            out = np.where(count == n, np.clip(scaled + y.zero_point, *limits), out)
        return out

    def average_pool_2d(self, op, ins, ts, y):
        o = op.options
        kernel, stride = (o["FilterHeight"], o["FilterWidth"]), (o["StrideH"], o["StrideW"])
        return self.pooled(ins[0][0], ts, y, kernel, stride, o["Padding"] == 0, self.limits(op, y))

    def mean(self, op, ins, ts, y):
        x = ins[0][0]
        return self.pooled(x, ts, y, x.shape[:2], (1, 1), False, (-128, 127))

    def pad(self, op, ins, ts, y):
        return np.pad(ins[0], ins[1], constant_values=ts[0].zero_point)

    def strided_slice(self, op, ins, ts, y):
        o, index = op.options, []
        for i, (b, e, s) in enumerate(zip(*(v.tolist() for v in ins[1:4]), strict=True)):
            if o["ShrinkAxisMask"] >> i & 1:
                index.append(b)
            else:
                index.append(slice(None if o["BeginMask"] >> i & 1 else b, None if o["EndMask"] >> i & 1 else e, s))
        return ins[0][tuple(index)]

    def reshape(self, op, ins, ts, y):
        return ins[0]

    def softmax(self, op, ins, ts, y):
        x = ins[0].reshape(-1, ins[0].shape[-1]).astype(np.int64)
        n = x.shape[1]
        bits = 22
        while bits > 8 and (n << bits) + (256 << bits) >= 1 << 32:
            bits -= 1
        d = x.max(1, keepdims=True) - x
        e = np.floor(np.exp(-op.options["Beta"] * ts[0].scale * d) * 2.0**bits + 0.5).astype(np.int64)
        total = e.sum(1, keepdims=True)
        return np.clip((256 * e + total // 2) // total - 128, -128, 127)

    def scaled(self, ins, ts, y, kind):
        limits = act_range(kind, y.scale, y.zero_point)
        acc = ins[0].astype(np.int64)[..., None] - ts[0].zero_point
        return requantise(acc, [ts[0].scale / y.scale], y.zero_point, *limits)

    def relu(self, op, ins, ts, y):
        return self.scaled(ins, ts, y, "RELU")

    def relu6(self, op, ins, ts, y):
        return self.scaled(ins, ts, y, "RELU6")

    def quantize(self, op, ins, ts, y):
        return self.scaled(ins, ts, y, "NONE")

    def largest(self, x, kernel, stride, same, limits):
        return np.clip(windows(x.astype(np.int64), *kernel, *stride, same, -128).max((2, 3)), *limits)

    def max_pool_2d(self, op, ins, ts, y):
        o = op.options
        kernel, stride = (o["FilterHeight"], o["FilterWidth"]), (o["StrideH"], o["StrideW"])
        return self.largest(ins[0][0], kernel, stride, o["Padding"] == 0, self.limits(op, y))

    def reduce_max(self, op, ins, ts, y):
        return ins[0].max(tuple(ins[1]))

    def concatenation(self, op, ins, ts, y):
        return np.concatenate(ins, op.options["Axis"])

    def transpose(self, op, ins, ts, y):
        return ins[0].transpose(ins[1])

    def tile(self, op, ins, ts, y):
        return np.tile(ins[0], ins[1])

    def slice(self, op, ins, ts, y):
        return ins[0][tuple(slice(b, b + n) for b, n in zip(*ins[1:], strict=True))]

    def resize_nearest_neighbor(self, op, ins, ts, y):
        def places(size, out):
            corners, centres = op.options.get("AlignCorners"), op.options.get("HalfPixelCenters")
            scale = (
                np.float32(size - 1) / np.float32(out - 1)
                if corners and out > 1
                else np.float32(size) / np.float32(out)
            )
            at = [np.float32(np.float32(i + (0.5 if centres else 0)) * scale) for i in range(out)]
            return [min(size - 1, int(floor(v + np.float32(0.5)) if corners else floor(v))) for v in at]

        x = ins[0][0]
        return x[places(x.shape[0], y.shape[1])][:, places(x.shape[1], y.shape[2])]

    def sub(self, op, ins, ts, y):
        a, b = ts[0].scale / y.scale, ts[1].scale / y.scale
        shift = 22
        while round(max(a, b) * 2.0**shift) >= 2**21:
            shift -= 1
        ma, mb = (floor(Fraction(v) * 2**shift + Fraction(1, 2)) for v in (a, b))
        acc = (ins[0].astype(np.int64) - ts[0].zero_point) * ma - (ins[1].astype(np.int64) - ts[1].zero_point) * mb
        return np.clip(((acc + (1 << (shift - 1))) >> shift) + y.zero_point, *self.limits(op, y))

    def mul(self, op, ins, ts, y):
        real = np.float32(ts[0].scale) * np.float32(ts[1].scale) / np.float32(y.scale)
        acc = (ins[0].astype(np.int64) - ts[0].zero_point) * (ins[1].astype(np.int64) - ts[1].zero_point)
        return np.clip(twice_rounded(acc, real) + y.zero_point, *self.limits(op, y))

    def svdf(self, op, ins, ts, y):
        """TensorFlow Lite's integer kernel, step by step."""
        features, time = ins[1].astype(np.int64), ins[2].astype(np.int64)
        state = self.states.setdefault(op.inputs[4], np.zeros(time.shape, np.int64))
        acc = features @ (ins[0].reshape(-1).astype(np.int64) - ts[0].zero_point)
        single = np.float32
        first = single(ts[0].scale) * single(ts[1].scale) / single(ts[4].scale)
        new = np.clip(twice_rounded(acc, first), -32768, 32767)
        self.states[op.inputs[4]] = state = np.concatenate([state[:, 1:], new[:, None]], 1)
        total = (state * time).sum(1).reshape(-1, op.options["Rank"]).sum(1) + ins[3]
        total = (total + 2**31) % 2**32 - 2**31  # of 32 bits
        second = single(ts[4].scale) * single(ts[2].scale) / single(y.scale)
        return np.clip(twice_rounded(total, second) + y.zero_point, -128, 127)


def curve(kind):
    """By the generator's table, which test_tflite_reference.py holds against TensorFlow Lite, value by value."""

    def of(self, op, ins, ts, y):
        s = lookup.Scales(ts[0].scale, ts[0].zero_point, y.scale, y.zero_point)
        more = {"leaky_relu": (op.options.get("Alpha", 0.0),), "hard_swish": ("oracle",)}.get(kind, ())
        return getattr(lookup, kind)(s, *more)[ins[0].view(np.uint8)]

    return of


for kind in ("logistic", "tanh", "hard_swish", "leaky_relu"):
    setattr(Oracle, kind, curve(kind))


def twice_rounded(values, real):
    """values * real as MultiplyByQuantizedMultiplier: to 31 bits half up, then half away from zero."""
    fraction, exponent = np.frexp(np.float64(real))
    m = floor(Fraction(float(fraction)) * 2**31 + Fraction(1, 2))
    out = []
    for v in np.asarray(values).reshape(-1):
        high = floor(Fraction(int(v) * 2 ** max(0, int(exponent)) * m, 2**31) + Fraction(1, 2))
        down = Fraction(high, 2 ** max(0, -int(exponent)))
        out.append(floor(abs(down) + Fraction(1, 2)) * (1 if down >= 0 else -1))
    return np.array(out, np.int64).reshape(np.shape(values))
