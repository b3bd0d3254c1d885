"""Lowers operators that move values without changing them: PAD, slices, TRANSPOSE, TILE, CONCATENATION, resizing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import simple
from .checks import Checks
from .layer import Emitted
from .model import Operator, Tensor
from .source import c_array


def _keeps_scale(low: Checks, op: Operator, x: Tensor, y: Tensor) -> None:
    if (x.scale, x.zero_point) != (y.scale, y.zero_point):
        raise low.fail(op, "changes the scale", "quantise the model again")


def pad(low: Checks, op: Operator) -> None:
    """Lower PAD with the zero point."""
    x, y = low.operand(op, 0, 2), low.output(op)
    index = op.inputs[1]
    pads = low.constant(op, 1, low.model.tensors[index].dtype if index >= 0 else "int32")
    if pads.dtype not in (np.int32, np.int64) or pads.shape != (len(x.shape), 2) or pads.min() < 0:
        raise low.fail(op, "has paddings that fit no tensor")
    _keeps_scale(low, op, x, y)
    full = np.zeros((4, 2), np.int64)
    full[4 - len(x.shape) :] = pads
    shape = low.four(x.shape)
    if tuple(s + int(a) + int(b) for s, (a, b) in zip(shape, full, strict=True)) != low.four(y.shape):
        raise low.fail(op, f"pads {x.shape} to another shape than {y.shape}")
    name = low.name(op, "pad")
    low.append(op, name, simple.emit_pad(name, shape, full, x.zero_point), 0, [x.index])


def strided_slice(low: Checks, op: Operator) -> None:
    """Lower STRIDED_SLICE with constant bounds."""
    x, y = low.operand(op, 0, 4), low.output(op)
    begin, end, step = (low.constant(op, i, "int32").reshape(-1).tolist() for i in (1, 2, 3))
    rank = len(x.shape)
    if not len(begin) == len(end) == len(step) == rank or 0 in step:
        raise low.fail(op, "has bounds that fit no tensor")
    if low.option(op, "EllipsisMask") or low.option(op, "NewAxisMask") or low.option(op, "Offset"):
        raise low.fail(op, "uses an ellipsis, a new axis or offsets", "slice with plain bounds")
    _keeps_scale(low, op, x, y)
    masks = [low.option(op, f"{m}Mask") for m in ("Begin", "End", "ShrinkAxis")]
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
            raise low.fail(op, f"takes nothing from axis {i} of {x.shape}")
        firsts.append(picked[0])
        counts.append(len(picked))
    if int(np.prod(counts)) != y.elements:
        raise low.fail(op, f"takes {counts}, but '{y.name}' is {y.shape}")
    fill = 4 - rank
    shape = low.four(x.shape)
    emitted = simple.emit_slice(
        name := low.name(op, "slice"),
        _contiguous(shape),
        [0] * fill + firsts,
        [1] * fill + step,
        [1] * fill + counts,
    )
    low.append(op, name, emitted, 0, [x.index])


def plain_slice(low: Checks, op: Operator) -> None:
    """Lower SLICE with constant begin and size."""
    x, y = low.operand(op, 0, 3), low.output(op)
    begin, size = (low.constant(op, i, "int32").reshape(-1).tolist() for i in (1, 2))
    if not len(begin) == len(size) == len(x.shape):
        raise low.fail(op, "has bounds that fit no tensor")
    counts = [n - b if k == -1 else k for b, k, n in zip(begin, size, x.shape, strict=True)]
    if (
        any(b < 0 or k < 1 or b + k > n for b, k, n in zip(begin, counts, x.shape, strict=True))
        or tuple(counts) != y.shape
    ):
        raise low.fail(op, f"takes {counts} of {x.shape}, but '{y.name}' is {y.shape}")
    _keeps_scale(low, op, x, y)
    fill = 4 - len(counts)
    name = low.name(op)
    walk = _contiguous(low.four(x.shape))
    emitted = simple.emit_slice(name, walk, [0] * fill + begin, [1] * 4, [1] * fill + counts)
    low.append(op, name, emitted, 0, [x.index])


def _contiguous(shape: tuple[int, ...]) -> list[int]:
    out = [1] * len(shape)
    for i in reversed(range(len(shape) - 1)):
        out[i] = out[i + 1] * shape[i + 1]
    return out


def transpose(low: Checks, op: Operator) -> None:
    """Lower TRANSPOSE as a walk over the input in the order of the output."""
    x, y = low.operand(op, 0, 2, True), low.output(op, True)
    order = low.constant(op, 1, "int32").reshape(-1).tolist()
    if sorted(order) != list(range(len(x.shape))) or tuple(x.shape[i] for i in order) != y.shape:
        raise low.fail(op, f"makes {y.shape} of {x.shape}")
    if len(order) > 4:
        raise low.fail(op, f"turns {len(order)} axes", "merge axes that stay together with a RESHAPE before it")
    _keeps_scale(low, op, x, y)
    steps = _contiguous(x.shape)
    fill = 4 - len(order)
    name = low.name(op)
    walk = [0] * fill + [steps[i] for i in order]
    emitted = simple.emit_slice(name, walk, [0] * 4, [1] * 4, [1] * fill + list(y.shape))
    low.append(op, name, emitted, 0, [x.index])


def same_bytes(low: Checks, op: Operator) -> None:
    """Lower RESHAPE, SQUEEZE and EXPAND_DIMS, which give another shape to the same bytes."""
    x, y = low.operand(op, 0, 1, True), low.output(op, True)
    if x.elements != y.elements or (x.scale, x.zero_point) != (y.scale, y.zero_point):
        raise low.fail(op, f"makes {y.shape} of {x.shape}")
    low.aliases[y.index] = x.index


def tile(low: Checks, op: Operator) -> None:
    """Lower TILE along one axis: a block of bytes several times, for each of what lies before that axis."""
    x, y = low.operand(op, 0, 2, True), low.output(op, True)
    times = low.constant(op, 1, "int32").reshape(-1).tolist()
    axes = [i for i, n in enumerate(times) if n != 1]
    if len(times) != len(x.shape) or len(axes) > 1 or min(times) < 1:
        raise low.fail(op, f"repeats {x.shape} {times} times", "repeat along one axis at a time")
    axis = axes[0] if axes else 0
    if tuple(s * n for s, n in zip(x.shape, times, strict=True)) != y.shape:
        raise low.fail(op, f"repeats {x.shape} to another shape than {y.shape}")
    _keeps_scale(low, op, x, y)
    block = int(np.prod(x.shape[axis:]))
    name = low.name(op)
    body = [
        f"for (int n = {x.elements // block}; n > 0; n--, in += {block})",
        f"  for (int k = {times[axis]}; k > 0; k--, out += {block}) copy_run(out, in, {block});",
    ]
    emitted = Emitted(simple.function(name, "const int8_t *in, int8_t *out", body), 0)
    low.append(op, name, emitted, 0, [x.index])


def concatenation(low: Checks, op: Operator) -> None:
    """Lower CONCATENATION of activations of one scale along any axis."""
    y = low.output(op, True)
    xs = [low.operand(op, i, 1, True) for i in range(len(op.inputs))]
    if low.option(op, "Axis") not in range(-len(y.shape), len(y.shape)):
        raise low.fail(op, f"is along axis {low.option(op, 'Axis')} of {y.shape}")
    axis = low.option(op, "Axis") % len(y.shape)
    others = {(x.shape[:axis], x.shape[axis + 1 :]) for x in (*xs, y)}
    if len(others) != 1 or sum(x.shape[axis] for x in xs if len(x.shape) > axis) != y.shape[axis]:
        raise low.fail(op, f"joins {', '.join(str(x.shape) for x in xs)} to {y.shape}")
    if low.fused(op, y) != (-128, 127):
        raise low.fail(op, "has an activation", "apply it before the operator")
    for x in xs:
        _keeps_scale(low, op, x, y)
    runs = [int(np.prod(x.shape[axis:])) for x in xs]
    name = low.name(op)
    copies = [f"  copy_run(out, in{i}, {run}), in{i} += {run}, out += {run};" for i, run in enumerate(runs)]
    body = [f"for (int n = {y.elements // sum(runs)}; n > 0; n--) {{", *copies, "}"]
    arguments = ", ".join([*(f"const int8_t *in{i}" for i in range(len(xs))), "int8_t *out"])
    low.append(op, name, Emitted(simple.function(name, arguments, body), 0), 0, [x.index for x in xs])


def resize(low: Checks, op: Operator) -> None:
    """Lower RESIZE_NEAREST_NEIGHBOR, with the places worked out as TensorFlow Lite does (in single precision)."""
    x, y = low.operand(op, 0, 1), low.output(op)
    (height, width, channels), (out_height, out_width, out_channels) = x.hwc(), y.hwc()
    if channels != out_channels or len(x.shape) != 4 or len(y.shape) != 4:
        raise low.fail(op, f"makes {y.shape} of {x.shape}")
    _keeps_scale(low, op, x, y)
    corners, centres = bool(low.option(op, "AlignCorners")), bool(low.option(op, "HalfPixelCenters"))
    rows = nearest(height, out_height, corners, centres)
    columns = nearest(width, out_width, corners, centres)
    name = low.name(op)
    lines = [*c_array(f"{name}_y", rows, "uint16_t"), *c_array(f"{name}_x", columns * channels, "uint32_t")]
    body = [
        f"for (int y = 0; y < {out_height}; y++) {{",
        f"  const int8_t *row = in + {name}_y[y] * {width * channels};",
        f"  for (int x = 0; x < {out_width}; x++, out += {channels}) copy_run(out, row + {name}_x[x], {channels});",
        "}",
    ]
    lines += simple.function(name, "const int8_t *in, int8_t *out", body)
    low.append(op, name, Emitted(lines, 2 * rows.size + 4 * columns.size), 0, [x.index])


def nearest(size: int, out: int, corners: bool, centres: bool) -> np.ndarray:
    """Return the input's index for each of `out` places."""
    one = np.float32
    scale = one(size - 1) / one(out - 1) if corners and out > 1 else one(size) / one(out)
    places = (np.arange(out, dtype=np.float32) + one(0.5 if centres else 0)) * scale
    whole = np.floor(places + one(0.5)) if corners else np.floor(places)
    return np.asarray(np.clip(whole, 0, size - 1), dtype=np.int64)


def split(low: Checks, op: Operator) -> None:
    """Lower SPLIT and UNPACK: an output for each part along an axis, each a layer of its own."""
    place = 1 if op.kind == "SPLIT" else 0
    x = low.operand(op, place, place + 1, True, len(op.outputs))
    axis = int(low.constant(op, 0, "int32").reshape(-1)[0]) if place else low.option(op, "Axis")
    parts = len(op.outputs)
    if not -len(x.shape) <= axis < len(x.shape) or x.shape[axis] % parts or (not place and x.shape[axis] != parts):
        raise low.fail(op, f"takes {parts} parts of {x.shape} along axis {axis}")
    axis %= len(x.shape)
    size = x.shape[axis] // parts
    block = size * int(np.prod(x.shape[axis + 1 :]))
    for k, t in enumerate(op.outputs):
        y = low.activation(op, low.model.tensors[t], True)
        _keeps_scale(low, op, x, y)
        if y.elements * parts != x.elements:
            raise low.fail(op, f"makes {y.shape} of a part of {x.shape}")
        name = low.name(op, f"{op.kind.lower()}{_letters(k)}")
        body = [
            f"in += {k * block};",
            f"for (int n = {y.elements // block}; n > 0; n--, in += {block * parts}, out += {block})",
            f"  copy_run(out, in, {block});",
        ]
        emitted = Emitted(simple.function(name, "const int8_t *in, int8_t *out", body), 0)
        low.append(op, name, emitted, 0, [x.index], output=t)


def _letters(number: int) -> str:
    """Return a number as letters (0 is a, 25 is z, 26 is aa): layers' names have no digit behind their number."""
    return (_letters(number // 26 - 1) if number > 25 else "") + chr(ord("a") + number % 26)


KINDS: dict[str, Callable[[Checks, Operator], None]] = {
    "PAD": pad,
    "STRIDED_SLICE": strided_slice,
    "SLICE": plain_slice,
    "RESHAPE": same_bytes,
    "SQUEEZE": same_bytes,
    "EXPAND_DIMS": same_bytes,
    "TRANSPOSE": transpose,
    "TILE": tile,
    "CONCATENATION": concatenation,
    "RESIZE_NEAREST_NEIGHBOR": resize,
    "SPLIT": split,
    "UNPACK": split,
}
