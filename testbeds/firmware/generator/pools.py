"""Lowers operators over windows of an image: average and largest, over the whole image too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import simple
from .checks import Checks
from .layer import Emitted
from .model import Operator, Tensor
from .quant import requantizer
from .shapes import Window, window
from .source import c_int


def average_pool(low: Checks, op: Operator) -> None:
    """Lower AVERAGE_POOL_2D."""
    x, y = low.operand(op, 0, 1), low.output(op)
    _average(low, op, x, y, _window(low, op, x, y), *low.fused(op, y))


def mean(low: Checks, op: Operator) -> None:
    """Lower MEAN over all places, as one window."""
    x, y = low.operand(op, 0, 2), low.output(op)
    _average(low, op, x, y, _everywhere(low, op, x, y), -128, 127)


def max_pool(low: Checks, op: Operator) -> None:
    """Lower MAX_POOL_2D."""
    x, y = low.operand(op, 0, 1), low.output(op)
    _largest(low, op, x, y, _window(low, op, x, y), *low.fused(op, y))


def reduce_max(low: Checks, op: Operator) -> None:
    """Lower REDUCE_MAX over all places, as one window."""
    x, y = low.operand(op, 0, 2), low.output(op)
    _largest(low, op, x, y, _everywhere(low, op, x, y), -128, 127)


def _window(low: Checks, op: Operator, x: Tensor, y: Tensor) -> Window:
    kernel = low.option(op, "FilterHeight"), low.option(op, "FilterWidth")
    win = window(x.hwc(), kernel, low.stride(op), low.same(op), low.model.where(op))
    low.check_shape(op, y, (win.out_height, win.out_width, win.channels))
    return win


def _everywhere(low: Checks, op: Operator, x: Tensor, y: Tensor) -> Window:
    axes = sorted({int(a) % len(x.shape) for a in low.constant(op, 1, "int32").reshape(-1)})
    if len(x.shape) < 3 or axes != list(range(1, len(x.shape) - 1)):
        raise low.fail(op, f"is over axes {axes} of shape {x.shape}", "take it over height and width")
    height, width, channels = x.hwc()
    if y.elements != channels:
        raise low.fail(op, f"gives {channels} values, but '{y.name}' is {y.shape}")
    return window(x.hwc(), (height, width), (1, 1), False, low.model.where(op))


def _average(low: Checks, op: Operator, x: Tensor, y: Tensor, win: Window, least: int, most: int) -> None:
    values = min(win.kh, win.height) * min(win.kw, win.width)
    if values > 1 << 14:
        raise low.fail(op, f"has a window of {values} values")
    counts = np.arange(1, values + 1)
    q = requantizer(x.scale / y.scale / counts, y.zero_point, low.model.where(op))
    name = low.name(op, "mean" if op.kind == "MEAN" else "pool")
    low.append(op, name, simple.emit_pool(name, win, x.zero_point, q, least, most), 0, [x.index])


def _largest(low: Checks, op: Operator, x: Tensor, y: Tensor, win: Window, least: int, most: int) -> None:
    if (x.scale, x.zero_point) != (y.scale, y.zero_point):
        raise low.fail(op, "changes the scale", "quantise the model again")
    name = low.name(op)
    inside = (win.pt, win.pl) == (0, 0) and (win.out_height - 1) * win.sy + win.kh <= win.height
    if inside and (win.out_width - 1) * win.sx + win.kw <= win.width and win.channels % 4 == 0 and most == 127:
        whole = (win.width * win.channels, win.channels, win.kh, win.kw, win.sy, win.sx, win.out_height, win.out_width)
        floor = f"0x{(least & 255) * 0x01010101:08X}u"
        body = [f"pool_max_whole(in, out, {', '.join(map(str, whole))}, {floor});"]
        emitted = Emitted(simple.function(name, "const int8_t *in, int8_t *out", body), 0)
    else:
        numbers = (win.height, win.width, win.channels, win.kh, win.kw, win.sy, win.sx, win.pt, win.pl)
        row = (*numbers, win.out_height, win.out_width, least, most)
        body = [
            f"static const max_pool_t shape = {{{', '.join(c_int(v) for v in row)}}};",
            "pool_max(in, out, &shape);",
        ]
        emitted = Emitted(simple.function(name, "const int8_t *in, int8_t *out", body), 4 * len(row))
    low.append(op, name, emitted, 0, [x.index])


KINDS: dict[str, Callable[[Checks, Operator], None]] = {
    "AVERAGE_POOL_2D": average_pool,
    "MEAN": mean,
    "MAX_POOL_2D": max_pool,
    "REDUCE_MAX": reduce_max,
}
