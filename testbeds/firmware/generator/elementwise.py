"""Lowers operators of single values or of pairs: sums and products with broadcasting, activations, scales, SOFTMAX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import lookup, simple
from .checks import Checks
from .gemmlowp import multiply, quantize_multiplier
from .layer import Emitted
from .model import Operator, Tensor
from .quant import activation_range, requantizer
from .source import c_array, c_int, indent


@dataclass(frozen=True)
class _Source:
    """Describes an operand of a pair: an activation, or a constant (`data`)."""

    tensor: Tensor
    data: np.ndarray | None


@dataclass(frozen=True)
class _Pair:
    """Makes one result of two values: C and Python of the same, with the range of the fused activation."""

    c: str  # with {a} and {b}
    python: Callable[[int, int], int]
    low: int
    high: int


def summed(low: Checks, op: Operator) -> None:
    """Lower ADD and SUB."""
    a, b, y = _sources(low, op)
    least, most = low.fused(op, y)
    scales = (a.tensor.scale, b.tensor.scale, y.scale)
    zeros = (a.tensor.zero_point, b.tensor.zero_point, y.zero_point)
    sign = -1 if op.kind == "SUB" else 1
    ma, mb, constant, shift = constants = simple.add_constants(scales, zeros, low.model.where(op), sign)
    if a.data is None and b.data is None and low.four(a.tensor.shape) == low.four(b.tensor.shape):
        name, inputs = low.name(op), [a.tensor.index, b.tensor.index]
        low.append(op, name, simple.emit_add(name, y.elements, constants, least, most), 0, inputs, in_place=inputs)
        return
    c = f"added({{a}}, {{b}}, {ma}, {mb}, {c_int(constant)}, {shift}, {least}, {most})"
    pair = _Pair(c, lambda p, q: (p * ma + q * mb + constant) >> shift, least, most)
    _emit(low, op, (a, b), y, pair)


def product(low: Checks, op: Operator) -> None:
    """Lower MUL, rounded twice as TensorFlow Lite does."""
    a, b, y = _sources(low, op)
    least, most = low.fused(op, y)
    real = np.float32(a.tensor.scale) * np.float32(b.tensor.scale) / np.float32(y.scale)
    multiplier, shift = quantize_multiplier(float(real))
    left, right = max(shift, 0), max(-shift, 0)
    if left > 14:
        raise low.fail(op, f"scales its result up by {real:.3g}", "quantise the model again")
    za, zb, zero = a.tensor.zero_point, b.tensor.zero_point, y.zero_point
    tail = f"{multiplier}, {left}, {right}, {zero}, {least}, {most}"
    c = f"multiplied({{a}} - ({za}), {{b}} - ({zb}), {tail})"
    pair = _Pair(c, lambda p, q: multiply((p - za) * (q - zb), multiplier, shift) + zero, least, most)
    _emit(low, op, (a, b), y, pair)


def _sources(low: Checks, op: Operator) -> tuple[_Source, _Source, Tensor]:
    if len(op.inputs) != 2:
        raise low.fail(op, "has too few tensors")
    found = []
    for index in range(2):
        tensor = low.model.tensors[op.inputs[index]] if op.inputs[index] >= 0 else None
        if tensor is None or tensor.data is None:
            found.append(_Source(low.operand(op, index, 2, True), None))
        else:
            found.append(_Source(tensor, low.constant_activation(op, tensor)))
    if all(s.data is not None for s in found):
        raise low.fail(op, "works on constants only")
    return found[0], found[1], low.output(op, True)


def _emit(low: Checks, op: Operator, sources: tuple[_Source, _Source], y: Tensor, pair: _Pair) -> None:
    """Emit a table where one operand is a single constant, else loops over the two shapes."""
    a, b = sources
    if a.data is not None and a.data.size == 1 and b.tensor.elements == y.elements:
        value = int(a.data.reshape(-1)[0])
        _table(low, op, b.tensor, y, _ranged(lambda x: pair.python(value, x), pair))
        return
    if b.data is not None and b.data.size == 1 and a.tensor.elements == y.elements:
        value = int(b.data.reshape(-1)[0])
        _table(low, op, a.tensor, y, _ranged(lambda x: pair.python(x, value), pair))
        return
    axes = max(len(s.tensor.shape) for s in (*sources, _Source(y, None)))
    shapes = [(1,) * (axes - len(s.tensor.shape)) + s.tensor.shape for s in sources]
    whole = (1,) * (axes - len(y.shape)) + y.shape
    try:
        together = np.broadcast_shapes(*shapes)
    except ValueError:
        together = ()
    if tuple(together) != whole:
        raise low.fail(op, f"combines shapes {a.tensor.shape} and {b.tensor.shape} to {y.shape}")
    counts, steps = collapsed(whole, [strides(s, whole) for s in shapes])
    name = low.name(op)
    low.append(
        op,
        name,
        _loops(name, counts, steps, sources, pair.c),
        0,
        [s.tensor.index for s in sources if s.data is None],
        in_place=[s.tensor.index for s in sources if s.data is None and s.tensor.elements == y.elements]
        if all(s.data is not None or s.tensor.elements == y.elements for s in sources)
        else [],
    )


def _ranged(one: Callable[[int], int], pair: _Pair) -> np.ndarray:
    return lookup.table(lambda x: max(pair.low, min(pair.high, one(x))))


def strides(shape: tuple[int, ...], whole: tuple[int, ...]) -> list[int]:
    """Return the elements from one to the next along each axis of `whole`; 0 where `shape` is repeated."""
    out, step = [], 1
    for size, count in zip(reversed(shape), reversed(whole), strict=True):
        out.append(step if size == count and count > 1 else 0)
        step *= size
    return out[::-1]


def collapsed(counts: tuple[int, ...], steps: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """Return the same walk over fewer axes: those of size 1 dropped, neighbours that lie behind each other joined."""
    axes = [(n, [s[i] for s in steps]) for i, n in enumerate(counts) if n > 1] or [(1, [1] * len(steps))]
    joined = [axes[0]]
    for n, inner in axes[1:]:
        before, outer = joined[-1]
        if all(o == i * n for o, i in zip(outer, inner, strict=True)):
            joined[-1] = (before * n, inner)
        else:
            joined.append((n, inner))
    return [n for n, _ in joined], [[s[k] for _, s in joined] for k in range(len(steps))]


def _loops(name: str, counts: list[int], steps: list[list[int]], sources: tuple[_Source, _Source], c: str) -> Emitted:
    lines: list[str] = []
    constant_bytes, arguments = 0, []
    for letter, source in zip("ab", sources, strict=True):
        if source.data is None:
            arguments.append(f"const int8_t *{letter}")
        else:
            lines += c_array(f"{name}_{letter}", source.data, "int8_t")
            constant_bytes += source.data.size
    body = [f"const int8_t *{x} = {name}_{x};" for x, s in zip("ab", sources, strict=True) if s.data is not None]
    depth = len(counts) - 1
    for axis, count in enumerate(counts[:-1]):
        body.append("  " * axis + f"for (int i{axis} = 0; i{axis} < {count}; i{axis}++) {{")
    places = [
        " + ".join([x, *(f"i{k} * {s[k]}" for k in range(depth) if s[k])]) for x, s in zip("ab", steps, strict=True)
    ]
    last = [s[-1] for s in steps]
    inner = [
        f"const int8_t *p = {places[0]}, *q = {places[1]};",
        f"for (int n = {counts[-1]}; n > 0; n--, p += {last[0]}, q += {last[1]}) *out++ = {c.format(a='*p', b='*q')};",
    ]
    body += indent(inner, depth)
    body += ["  " * axis + "}" for axis in reversed(range(depth))]
    lines += simple.function(name, ", ".join([*arguments, "int8_t *out"]), body)
    return Emitted(lines, constant_bytes)


def _table(low: Checks, op: Operator, x: Tensor, y: Tensor, table: np.ndarray) -> None:
    if x.elements != y.elements:
        raise low.fail(op, f"makes {y.shape} of {x.shape}")
    name = low.name(op)
    low.append(op, name, emit_lookup(name, table, y.elements), 0, [x.index], in_place=[x.index])


def emit_lookup(name: str, table: np.ndarray, count: int) -> Emitted:
    body = [f"lookup(in, out, {name}_t, graph_scratch, {count});"]
    lines = c_array(f"{name}_t", table.view(np.uint8), "uint8_t")
    return Emitted([*lines, *simple.function(name, "const int8_t *in, int8_t *out", body)], 256, 256)


def curve(low: Checks, op: Operator) -> None:
    """Lower LOGISTIC, TANH, HARD_SWISH and LEAKY_RELU by table."""
    x, y = low.operand(op, 0, 1, True), low.output(op, True)
    scales = lookup.Scales(x.scale, x.zero_point, y.scale, y.zero_point)
    fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(op.kind)
    if fixed and (abs(y.scale - fixed[0]) > 1e-9 or y.zero_point != fixed[1]):
        raise low.fail(op, f"has an output scale other than 1/{1 / fixed[0]:.0f}", "quantise the model again")
    if op.kind == "LOGISTIC":
        table = lookup.logistic(scales)
    elif op.kind == "TANH":
        table = lookup.tanh(scales)
    elif op.kind == "HARD_SWISH":
        table = lookup.hard_swish(scales, low.model.where(op))
    else:
        table = lookup.leaky_relu(scales, float(op.options.get("Alpha", 0.0)))
    _table(low, op, x, y, table)


def softmax(low: Checks, op: Operator) -> None:
    """Lower SOFTMAX over the last axis."""
    x, y = low.operand(op, 0, 1, True), low.output(op, True)
    beta = float(op.options.get("Beta", 0.0))
    n = x.shape[-1]
    if not 0 < beta < 1e6 or x.elements != y.elements or n > 4096:
        raise low.fail(op, f"over {n} values with beta {beta}")
    if abs(y.scale - 1 / 256) > 1e-9 or y.zero_point != -128:
        raise low.fail(op, "has an output scale other than 1/256", "quantise the model again")
    name = low.name(op, "softmax")
    table = simple.softmax_table(x.scale, beta, n)
    low.append(op, name, simple.emit_softmax(name, table, x.elements // n, n), 0, [x.index], in_place=[x.index])


def scale(low: Checks, op: Operator) -> None:
    """Lower RELU, RELU6 and QUANTIZE: another scale, a range, or both."""
    x, y = low.operand(op, 0, 1, True), low.output(op, True)
    if x.elements != y.elements:
        raise low.fail(op, f"makes {y.shape} of {x.shape}")
    q = requantizer(np.array([x.scale / y.scale]), y.zero_point, low.model.where(op))
    kind = op.kind if op.kind in ("RELU", "RELU6") else "NONE"
    least, most = activation_range(kind, y.scale, y.zero_point, low.model.where(op))
    name = low.name(op, "scale")
    emitted = simple.emit_scale(name, y.elements, x.zero_point, q, least, most)
    low.append(op, name, emitted, 0, [x.index], in_place=[x.index])


KINDS: dict[str, Callable[[Checks, Operator], None]] = {
    "ADD": summed,
    "SUB": summed,
    "MUL": product,
    "SOFTMAX": softmax,
    "RELU": scale,
    "RELU6": scale,
    "QUANTIZE": scale,
    "LOGISTIC": curve,
    "TANH": curve,
    "HARD_SWISH": curve,
    "LEAKY_RELU": curve,
}
