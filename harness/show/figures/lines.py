"""Draws a line a scheme against the axis: latency against rate or clock, accuracy against alpha, temperature,
lambda.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.analysis.datum import Datum
from harness.show import style
from harness.show.figures.draw import look


def lines(axes: Any, data: Sequence[Datum], *, label: str = "", index: int = 0, colour: str = "") -> None:
    """Draw `data` as one line for each scheme and source, with bars for the 95 % interval.

    Args:
        label: in the legend instead of the scheme's title.
        index: which style a scheme without one of its own takes.
    """
    groups: dict[tuple[str, str, str], list[Datum]] = {}
    for d in data:
        groups.setdefault((d.scheme, look(d.source).suffix, d.testbed), []).append(d)
    beds = {d.testbed for d in data if d.testbed}
    for offset, ((scheme, suffix, bed), own) in enumerate(groups.items()):
        own.sort(key=lambda d: d.x)
        drawn, kind = style.line(scheme, index + offset), look(own[0].source)
        tint = colour or drawn.colour
        where = f", {bed}" if len(beds) > 1 and bed else ""
        axes.errorbar(
            [d.x for d in own],
            [d.value for d in own],
            [[d.value - (d.value if d.low is None else d.low) for d in own],
             [(d.value if d.high is None else d.high) - d.value for d in own]],
            label=f"{label or own[0].title} ({suffix}{where})",
            color=tint,
            marker=drawn.marker,
            markerfacecolor=tint if kind.filled else "white",
            linestyle=kind.dash,
            linewidth=1.2 if kind.filled else 0.9,
            capsize=2 if kind.filled else 0,
        )  # fmt: skip


def ticks(axes: Any, values: Mapping[float, str], *, log: bool = False, y_log: bool = False) -> None:
    """Name the places of the x axis; it is logarithmic where asked."""
    if log:
        axes.set_xscale("log")
    axes.set_xticks(list(values), labels=list(values.values()))
    axes.minorticks_off()
    if y_log:
        from matplotlib.ticker import LogLocator, NullLocator  # noqa: PLC0415

        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=20))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")


def second_scale(axes: Any, label: str) -> Any:
    """Add a second y axis to the right, drawn in grey."""
    other = axes.twinx()
    other.spines["right"].set_visible(True)
    other.grid(visible=False)
    other.set_ylabel(label)
    return other


def places(data: Sequence[Datum]) -> list[float]:
    """Return the x values that occur, ascending."""
    return sorted({d.x for d in data if not math.isnan(d.x)})
