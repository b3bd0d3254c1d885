"""Random graphs: operators of random shape fed by one input, all of them outputs, so one compile tests many."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from testbeds.firmware.generator.compose import Composer

ACTIVATIONS = ("NONE", "RELU", "RELU6")
CURVES = ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU")
OTHERS = ["mean", "pad", "slice", "add", "softmax", "activation", "reshape", "largest", "curve", "pair", "pair", "join"]
OTHERS += ["turn", "part", "resize", "svdf"]


@st.composite
def branch(draw):
    """What one operator is to be, apart from the input's shape."""
    return {
        "kind": draw(st.sampled_from(["conv", "conv", "conv", "depthwise", "depthwise", "dense", "pool", "other"])),
        "kernel": (draw(st.integers(1, 5)), draw(st.integers(1, 5))),
        "square": draw(st.booleans()),
        "stride": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "same": draw(st.booleans()),
        "channels": draw(st.integers(1, 19)),
        "activation": draw(st.sampled_from(ACTIVATIONS)),
        "per_channel": draw(st.booleans()),
        "multiplier": draw(st.sampled_from([1, 1, 1, 2, 5])),
        "gain": 2.0 ** draw(st.sampled_from([-12, -3, 0, 0, 0, 3, 7, 9, 12])),
        "other": draw(st.sampled_from(OTHERS)),
        "numbers": draw(st.lists(st.integers(0, 3), min_size=8, max_size=8)),
    }


@st.composite
def graphs(draw, count=12):
    """A model with `count` operators on one input."""
    shape = (
        draw(st.integers(1, 12)),
        draw(st.integers(1, 14)),
        draw(st.sampled_from([1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 36])),
    )
    scale = draw(st.floats(0.001, 0.1))
    zero = draw(st.integers(-128, 127))
    c = Composer(shape, draw(st.integers(0, 2**31)), scale, zero)
    made = [add_branch(c, draw(branch())) for _ in range(count)]
    return c.finish(*made)


def add_branch(c, b):
    x = c.model.inputs[0]
    height, width, channels = c.model.tensors[x].hwc()
    kh, kw = (3, 3) if b["square"] else b["kernel"]
    same = b["same"] or kh > height or kw > width
    c.gain = b["gain"]
    if b["kind"] == "conv":
        return c.conv(x, b["channels"], (kh, kw), b["stride"], same, b["activation"], b["per_channel"])
    if b["kind"] == "depthwise":
        stride = (b["stride"][0], b["stride"][0]) if b["square"] else b["stride"]
        return c.conv(
            x, 0, (kh, kw), stride, same, b["activation"], b["per_channel"], depthwise=True, multiplier=b["multiplier"]
        )
    if b["kind"] == "dense":
        flat = c.reshape(x, (1, height * width * channels))
        return c.dense(flat, b["channels"], b["activation"], b["per_channel"])
    if b["kind"] == "pool":
        size = min(kh, height, width)
        kind = ("AVERAGE_POOL_2D", "MAX_POOL_2D")[b["numbers"][0] % 2]
        return c.pool(kind, x, size, b["stride"][0], same, b["activation"])
    return other(c, x, b)


def other(c, x, b):
    height, width, channels = c.model.tensors[x].hwc()
    n, kind = b["numbers"], b["other"]
    if kind == "mean":
        return c.mean(x)
    if kind == "pad":
        return c.pad(x, ((0, 0), (n[0], n[1]), (n[2], n[3]), (n[4] // 2, n[5] // 2)))
    if kind == "slice":
        begin = (0, n[0] % height, n[1] % width, n[2] % channels)
        return c.strided_slice(x, begin, (1, height, width, channels), (1, n[3] + 1, n[4] + 1, n[5] + 1))
    if kind == "add":
        return c.add(x, c.activation(x, "QUANTIZE"), b["activation"])
    if kind == "softmax":
        return c.softmax(x)
    if kind == "reshape":
        return c.activation(c.reshape(x, (1, height * width * channels)), "RELU6")
    if kind in NEWER:
        return NEWER[kind](c, x, n, b["activation"])
    return c.activation(x, ("RELU", "RELU6", "QUANTIZE")[n[0] % 3])


def largest(c, x, n, activation):
    _, _, channels = c.model.tensors[x].hwc()
    return c.same("REDUCE_MAX", [x, c.numbers(1, 2)], (1, channels), KeepDims=False)


def curve(c, x, n, activation):
    return c.activation(x, CURVES[n[0]], **({"Alpha": 0.1 * n[1]} if n[0] == 3 else {}))


def pair(c, x, n, activation):
    """Whole, repeated along some axes, a constant, or a single number; on either side."""
    height, width, channels = c.model.tensors[x].hwc()
    shapes = [(1, height, width, channels), (channels,), (), (1, height, 1, channels), (1, 1, width, 1), (height, 1, 1)]
    shape = shapes[(n[0] + 2 * n[1]) % len(shapes)]
    other = c.constant(shape, 0.02, 9)
    if n[2] == 0:
        other = c.activation(x, "QUANTIZE")
    elif n[2] == 1:
        other = c.mean(x)
    inputs = (x, other) if n[3] % 2 else (other, x)
    return c.pair(("ADD", "SUB", "MUL", "MUL")[n[4]], *inputs, activation)


def join(c, x, n, activation):
    if n[0] % 2:
        parts = 1 + n[1]
        shape = c.model.tensors[x].shape
        times = [1, 1, 1, 1]
        times[n[2]] = parts
        return c.same("TILE", [x, c.numbers(*times)], tuple(s * t for s, t in zip(shape, times, strict=True)))
    whole = c.reshape(x, c.model.tensors[x].shape)
    return c.concatenation([x, whole][: 1 + n[1]], 1 + n[2] % 3)


def turn(c, x, n, activation):
    order = [(0, 3, 1, 2), (0, 2, 1, 3), (0, 3, 2, 1), (0, 1, 3, 2)][n[0]]
    shape = c.model.tensors[x].shape
    return c.same("TRANSPOSE", [x, c.numbers(*order)], tuple(shape[i] for i in order))


def part(c, x, n, activation):
    shape = c.model.tensors[x].shape
    begin = [0, *(k % s for k, s in zip(n, shape[1:], strict=False))]
    size = [1, *(s - b for b, s in zip(begin[1:], shape[1:], strict=True))]
    return c.same("SLICE", [x, c.numbers(*begin), c.numbers(*size)], tuple(size))


def resize(c, x, n, activation):
    height, width, _ = c.model.tensors[x].hwc()
    options = {"AlignCorners": n[0] == 1, "HalfPixelCenters": n[0] == 2}
    return c.resize(x, height + n[1], width * (1 + n[2]), **options)


def svdf(c, x, n, activation):
    height, width, channels = c.model.tensors[x].hwc()
    flat = c.reshape(x, (1, height * width * channels))
    return c.svdf(flat, 3 + n[0], 1 + n[1] % 2, 1 + 3 * n[2])


NEWER = {f.__name__: f for f in (largest, curve, pair, join, turn, part, resize, svdf)}


def noise(model, seed=0):
    """An int8 input that holds the extremes too."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, model.tensors[model.inputs[0]].shape).astype(np.int8)
    flat = x.reshape(-1)
    flat[rng.integers(0, flat.size, max(1, flat.size // 8))] = rng.choice([-128, 127], max(1, flat.size // 8))
    return x
