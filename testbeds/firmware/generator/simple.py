"""Emits operators without an inner product: ADD, pools, MEAN, PAD, STRIDED_SLICE, SOFTMAX, separate activations."""

from __future__ import annotations

import numpy as np

from harness.contracts.errors import BenchError

from .layer import Emitted
from .quant import MAX_SHIFT, Requantizer
from .shapes import Window
from .source import c_array, c_int, indent


def function(name: str, arguments: str, body: list[str]) -> list[str]:
    return [f"static KERNEL void {name}({arguments}) {{", *indent(body), "}"]


def add_constants(
    scales: tuple[float, float, float], zeros: tuple[int, int, int], who: str, sign: int = 1
) -> tuple[int, int, int, int]:
    """Return (m_a, m_b, constant, s) for y = clamp((a * m_a + b * m_b + constant) >> s), which rounds once, half up.

    `sign` is -1 for a difference, whose m_b is negative.

    The multipliers stay below 2**21, so that 255 * (m_a + m_b) and the zero point fit 31 bits.
    """
    a, b, out = scales
    largest = max(a, b) / out
    if not 0 < largest < 2.0**12:
        raise BenchError(f"{who} scales its result up by {largest:.3g}", "quantise the model again")
    shift = MAX_SHIFT
    while round(largest * 2.0**shift) >= 1 << 21:
        shift -= 1
    ma, mb = int(np.floor(a / out * 2.0**shift + 0.5)), sign * int(np.floor(b / out * 2.0**shift + 0.5))
    constant = (zeros[2] << shift) + (1 << (shift - 1)) - zeros[0] * ma - zeros[1] * mb
    return ma, mb, constant, shift


def emit_add(name: str, count: int, constants: tuple[int, int, int, int], low: int, high: int) -> Emitted:
    ma, mb, constant, shift = constants
    plain = (low, high) == (-128, 127)
    last = "ADD_PLAIN" if plain else f"{name.upper()}_CLAMP"
    define = [] if plain else [f"#define {last}(y) ((y) = clamp(y, {c_int(low)}, {c_int(high)}))"]
    body = [f"ADD_LOOP(a, b, out, {count}, {ma}, {mb}, {c_int(constant)}, {shift}, {last});"]
    return Emitted([*define, *function(name, "const int8_t *a, const int8_t *b, int8_t *out", body)], 0)


def emit_scale(name: str, count: int, zero: int, q: Requantizer, low: int, high: int) -> Emitted:
    """Emit ReLU, ReLU6 or a change of scale on its own."""
    m = int(q.multipliers[0])
    body = [
        f"for (int i = 0; i < {count}; i++)",
        f"  out[i] = requantise(in[i] - {c_int(zero)}, {m}, {q.pre}, {q.shift}, {c_int(q.addend)}, {low}, {high});",
    ]
    return Emitted(function(name, "const int8_t *in, int8_t *out", body), 0)


def emit_pool(name: str, w: Window, zero: int, q: Requantizer, low: int, high: int) -> Emitted:
    """Emit average pooling; q has a multiplier for every count of values up to the whole window."""
    numbers = (w.height, w.width, w.channels, w.kh, w.kw, w.sy, w.sx, w.pt, w.pl, w.out_height, w.out_width)
    tail = (zero, q.pre, q.shift, q.addend, low, high)
    body = [
        f"static const pool_t shape = {{{', '.join(c_int(v) for v in numbers + tail)}}};",
        f"pool_average(in, out, {name}_m, &shape);",
    ]
    lines = c_array(f"{name}_m", q.multipliers, "int32_t", 8)
    return Emitted([*lines, *function(name, "const int8_t *in, int8_t *out", body)], 4 * q.multipliers.size + 68)


def emit_slice(name: str, strides: list[int], begin: list[int], step: list[int], count: list[int]) -> Emitted:
    """Emit `count` values along each of four axes; `strides` are the elements from one to the next of each axis."""
    rows = [strides, begin, step, count]
    inner = ", ".join("{" + ", ".join(c_int(v) for v in row) + "}" for row in rows)
    body = [f"static const slice_t s = {{{inner}}};", "strided_slice(in, out, &s);"]
    return Emitted(function(name, "const int8_t *in, int8_t *out", body), 64)


def emit_pad(name: str, shape: tuple[int, ...], pads: np.ndarray, zero: int) -> Emitted:
    """Emit padding; `shape` is (n, h, w, c) of the input, `pads` is [4][2]."""
    n, h, w, c = shape
    (nb, na), (hb, ha), (wb, wa), (cb, ca) = pads.tolist()
    oh, ow, oc = h + hb + ha, w + wb + wa, c + cb + ca
    total = (n + nb + na) * oh * ow * oc
    inner = [f"memcpy(out + {wb * oc}, in, {w * c});", f"in += {w * c};"]
    if cb or ca:
        inner = [f"for (int x = 0; x < {w}; x++, in += {c}) memcpy(out + (x + {wb}) * {oc} + {cb}, in, {c});"]
    body = [
        f"memset(out, {c_int(zero)}, {total});",
        f"out += {nb * oh * ow * oc};",
        f"for (int b = 0; b < {n}; b++, out += {oh * ow * oc - h * ow * oc}) {{",
        f"  out += {hb * ow * oc};",
        f"  for (int y = 0; y < {h}; y++, out += {ow * oc}) {{",
        *indent(inner, 2),
        "  }",
        f"  out -= {hb * ow * oc};",
        "}",
    ]
    return Emitted(function(name, "const int8_t *in, int8_t *out", body), 0)


def softmax_table(scale: float, beta: float, n: int) -> np.ndarray:
    """Return exp(-beta * scale * d) for d = 0..255 in the finest fixed point for which 256 e + sum stays in 32 bits."""
    bits = 22
    while bits > 8 and (n << bits) + (256 << bits) >= 1 << 32:
        bits -= 1
    return np.floor(np.exp(-beta * scale * np.arange(256.0)) * 2.0**bits + 0.5).astype(np.int64)


def emit_softmax(name: str, table: np.ndarray, rows: int, n: int) -> Emitted:
    body = [f"softmax(in, out, {name}_t, (uint32_t *)graph_scratch, {rows}, {n});"]
    lines = c_array(f"{name}_t", table, "uint32_t", 8)
    return Emitted([*lines, *function(name, "const int8_t *in, int8_t *out", body)], 1024, 1024)
