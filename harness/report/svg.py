"""Draws for the page: scales, axes and marks that tell their value on hover and on focus."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.markup import Markup, tag, text

WIDTH, HEIGHT = 720, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 16, 52
_FEWEST_TICKS = 3  # a logarithmic scale of a small range has fewer round values: then as on a linear one
_SHAPES = {
    "o": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z",
    "s": "M-5 -5H5V5H-5Z",
    "^": "M0 -6L6 5H-6Z",
    "D": "M0 -6.5L6.5 0L0 6.5L-6.5 0Z",
    "v": "M0 6L6 -5H-6Z",
    "P": "M-2 -6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
    "X": "M-6 -4L-4 -6L0 -2L4 -6L6 -4L2 0L6 4L4 6L0 2L-4 6L-6 4L-2 0Z",
    "*": "M0.0 -6.0L1.5 -2.1L5.7 -1.9L2.5 0.8L3.5 4.9L0.0 2.6L-3.5 4.9L-2.5 0.8L-5.7 -1.9L-1.5 -2.1Z",
}


@dataclass(frozen=True)
class Scale:
    """Maps values to places; it is logarithmic where asked and possible."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def spread(values: Sequence[float], start: float, end: float, *, log: bool, room: float = 0.06) -> Scale:
    """Return a scale that holds `values` with some room beside them."""
    low, high = min(values), max(values)
    if log and low > 0:
        low, high = (low / 1.5, high * 1.5) if low == high else (low, high)
        extra = (high / low) ** room
        return Scale(low / extra, high * extra, start, end, log=True)
    if low == high:
        low, high = low - 0.5, high + 0.5
    extra = room * (high - low)
    return Scale(low - extra, high + extra, start, end)


def ticks(scale: Scale) -> list[float]:
    """Return round values within a scale: 1, 2, 5 times powers of ten."""
    if scale.log:
        powers = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
        found = [m * 10.0**power for power in powers for m in (1, 2, 5)]
        found = [v for v in found if scale.low <= v <= scale.high]
        if len(found) >= _FEWEST_TICKS:
            return found
    rough = (scale.high - scale.low) / 5
    size = 10 ** math.floor(math.log10(rough))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= rough)
    first = math.ceil(scale.low / step)
    return [step * i for i in range(first, first + 12) if scale.low <= step * i <= scale.high]


@dataclass(frozen=True)
class Mark:
    """Holds one point: where it is, and what it says."""

    x: float
    y: float
    says: str


@dataclass(frozen=True)
class Series:
    """Holds one line of a chart. `open` = of the paper: hollow marks, dashed line."""

    title: str
    colour: str
    marker: str
    marks: tuple[Mark, ...]
    open: bool = False
    stepped: bool = False


def shape(marker: str, colour: str, *, hollow: bool) -> Markup:
    """Return a mark around the origin."""
    return tag("path", d=_SHAPES[marker], fill="#ffffff" if hollow else colour, stroke=colour, stroke_width=1.6)


def mark(x: float, y: float, says: str, body: Markup) -> Markup:
    """Return a mark that can be focused; what it says shows beside it on hover and on focus."""
    anchor, dx = ("end", -10) if x > WIDTH * 0.6 else ("start", 10)
    tip = tag("text", text(says), _class="tip", x=dx, y=-10, text_anchor=anchor)
    return tag("g", tag("title", text(says)), body, tip, _class="mark", tabindex="0", role="img", aria_label=says,
               transform=f"translate({x:.1f} {y:.1f})")  # fmt: skip


def chart(
    series: Sequence[Series],
    *,
    name: str,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
    x_ticks: dict[float, str] | None = None,
    x_log: bool = False,
    y_log: bool = False,
) -> Markup:
    """Draw lines or points over two axes. Values to be drawn on a logarithmic axis must be positive."""
    points = [m for s in series for m in s.marks]
    x = spread([m.x for m in points], _LEFT, WIDTH - _RIGHT, log=x_log)
    y = spread([m.y for m in points], HEIGHT - _BOTTOM, _TOP, log=y_log)
    parts = [tag("title", text(title), id=f"{name}-title"), tag("desc", text(description), id=f"{name}-desc")]
    for value in ticks(y):
        at = f"{y(value):.1f}"
        parts.append(tag("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=at, y2=at, _class="grid"))
        parts.append(tag("text", text(f"{value:g}"), x=_LEFT - 8, y=at, _class="tick", text_anchor="end", dy="0.35em"))
    for value, label in (x_ticks or {v: f"{v:g}" for v in ticks(x)}).items():
        at = f"{x(value):.1f}"
        parts.append(tag("text", text(label), x=at, y=HEIGHT - _BOTTOM + 20, _class="tick", text_anchor="middle"))
    parts.append(tag("path", d=f"M{_LEFT} {_TOP}V{HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}", _class="axis"))
    parts.append(tag("text", text(x_label), x=WIDTH / 2, y=HEIGHT - 8, _class="label", text_anchor="middle"))
    turned = f"translate(16 {HEIGHT / 2}) rotate(-90)"
    parts.append(tag("text", text(y_label), transform=turned, _class="label", text_anchor="middle"))
    for s in series:
        if len(s.marks) > 1:
            path = _path([(x(m.x), y(m.y)) for m in s.marks], stepped=s.stepped)
            parts.append(tag("path", d=path, fill="none", stroke=s.colour, stroke_width=1.0 if s.open else 2.0,
                             stroke_dasharray="5 4" if s.open else None))  # fmt: skip
    for s in series:
        parts += [mark(x(m.x), y(m.y), m.says, shape(s.marker, s.colour, hollow=s.open)) for m in s.marks]
    drawn = tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="group", width=WIDTH, height=HEIGHT,
                aria_labelledby=f"{name}-title {name}-desc", xmlns="http://www.w3.org/2000/svg")  # fmt: skip
    return drawn + legend(series)


def _path(places: Sequence[tuple[float, float]], *, stepped: bool) -> str:
    """Return a path straight from place to place, or first across and then up."""
    path = f"M{places[0][0]:.1f} {places[0][1]:.1f}"
    return path + "".join(f"H{x:.1f}V{y:.1f}" if stepped else f"L{x:.1f} {y:.1f}" for x, y in places[1:])


def legend(series: Sequence[Series]) -> Markup:
    """Return the series by mark and name."""
    items = []
    for s in series:
        icon = tag("svg", shape(s.marker, s.colour, hollow=s.open), viewBox="-8 -8 16 16", width=16, height=16,
                   aria_hidden="true")  # fmt: skip
        items.append(tag("li", icon, text(s.title)))
    return tag("ul", *items, _class="legend")
