"""Lowers SVDF, the layer with state of keyword spotters, bit for bit as TensorFlow Lite's integer kernel.

It is a dense layer into one new value a filter, a memory of the last values, and a weighted sum over each memory;
`rank` filters add up to one output. The memory lies in the arena, where nothing else may lie, and is kept from run to
run.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import simple
from .checks import Checks
from .gemmlowp import quantize_multiplier
from .layer import Emitted
from .model import Operator
from .source import c_array, c_int, round_up


def svdf(low: Checks, op: Operator) -> None:
    """Lower SVDF with int8 features, int16 weights over time and an int16 state."""
    x, y = low.operand(op, 0, 5), low.output(op)
    features, time = low.constant(op, 1, "int8"), low.constant(op, 2, "int16")
    state = low.model.tensors[op.inputs[4]]
    first, second = (low.model.tensors[op.inputs[i]] for i in (1, 2))
    rank = low.option(op, "Rank")
    filters, memory = time.shape if time.ndim == 2 else (0, 0)
    if not filters or features.shape != (filters, x.elements) or rank < 1 or filters % rank:
        raise low.fail(op, f"has weights of shapes {features.shape} and {time.shape} for an input of {x.shape}")
    units = filters // rank
    if y.elements != units or not state.variable or state.dtype != "int16" or state.elements != filters * memory:
        raise low.fail(op, f"keeps a state of {state.dtype} {state.shape}", "quantise the model again")
    bias = np.zeros(units, np.int32) if op.inputs[3] < 0 else low.constant(op, 3, "int32").reshape(-1)
    one_scale = all(t.scales.size == 1 and not t.zero_points.any() for t in (first, second, state))
    if not one_scale or bias.size != units:
        raise low.fail(op, "has weights or a state that are not symmetric with one scale", "quantise the model again")
    single = np.float32
    m1, shift1 = quantize_multiplier(float(single(x.scale) * single(first.scale) / single(state.scale)))
    m2, shift2 = quantize_multiplier(float(single(state.scale) * single(second.scale) / single(y.scale)))
    left1, left2 = max(shift1, 0), max(shift2, 0)
    reach = int(np.abs(features.astype(np.int64)).sum(1).max()) * 255 << left1
    # The sum over time is left to wrap at 32 bits where weights and state are extreme, as the reference's does.
    if reach >= 1 << 30 or shift1 < -31 or shift2 < -31:
        raise low.fail(op, "can overflow its 32-bit accumulator", "use smaller weights or fewer inputs")
    least, most = (-128, 127)  # a fused ReLU is the output's zero point: TensorFlow Lite clamps to int8 alone
    width = round_up(x.elements, 4)
    rows = np.zeros((filters, width), np.int8)
    rows[:, : x.elements] = features
    folded = -x.zero_point * features.astype(np.int64).sum(1)
    name = low.name(op)
    lines = [
        *c_array(f"{name}_f", rows, "int8_t"),
        *c_array(f"{name}_t", time, "int16_t"),
        *c_array(f"{name}_b", folded, "int32_t", 8),
        *c_array(f"{name}_c", bias, "int32_t", 8),
    ]
    row = (width // 4, units, rank, memory, m1, m2, left1, max(-shift1, 0), left2, max(-shift2, 0))
    numbers = (*row, y.zero_point, least, most)
    body = [
        f"static const svdf_t shape = {{{', '.join(c_int(v) for v in numbers)}}};",
        f"svdf(in, (int16_t *)(void *)state, out, {name}_f, {name}_b, {name}_t, {name}_c, &shape);",
    ]
    lines += simple.function(name, "const int8_t *in, int8_t *state, int8_t *out", body)
    constants = rows.size + 2 * time.size + 4 * (filters + units) + 4 * len(numbers)
    macs = features.size + time.size
    low.append(op, name, Emitted(lines, constants), macs, [x.index, state.index])


KINDS: dict[str, Callable[[Checks, Operator], None]] = {"SVDF": svdf}
