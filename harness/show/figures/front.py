"""Draws accuracy against latency, a curve a scheme, with the front of all curves: what is worth its time on a link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.pareto import Choice, curves, envelope, pareto
from harness.show import style
from harness.show.figures.draw import look


def draw_front(axes: Any, choices: Sequence[Choice], *, lowest: float | None = None) -> None:
    """Draw a marker a choice, a line through the points of each curve, and the front of all curves behind them.

    Args:
        lowest: accuracy in % under which nothing is shown, for a curve that goes on far below all others.
    """
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    for kind in dict.fromkeys(look(c.source).suffix for c in choices):
        own = [c for c in choices if look(c.source).suffix == kind]
        on, every = pareto(own), curves(own)
        if len(on) > 1:
            axes.plot(
                *zip(*(p for p in envelope(every) if p[0] <= on[-1].latency_ms), strict=True),
                color="#bbbbbb",
                linewidth=2.6,
                solid_joinstyle="miter",
                linestyle="-" if look(own[0].source).filled else "--",
                label="Pareto front of curves",
                zorder=1,
            )
        for index, curve in enumerate(every):
            drawn, way = style.line(curve.scheme, index), look(own[0].source)
            points = [c for c in own if (c.curve or c.scheme) == curve.scheme]
            if len(curve.points) > 1:
                x, y = zip(*((c.latency_ms, c.accuracy) for c in curve.points), strict=True)
                axes.plot(x, y, color=drawn.colour, linewidth=0.9, zorder=2)
            for i, c in enumerate(sorted(points, key=lambda c: c.scheme != curve.scheme)):
                main = c.scheme == curve.scheme or len(points) == 1
                axes.plot(
                    c.latency_ms,
                    c.accuracy,
                    drawn.marker,
                    color=drawn.colour,
                    markersize=(6 if c in on else 4.5) if main else 3,
                    markerfacecolor=drawn.colour if way.filled else "white",
                    markeredgewidth=0.6,
                    label=curve.title if i == 0 else "_setting",
                    zorder=3 if main else 2.5,
                )
    axes.set_xscale("log")
    if lowest is not None and (shown := [c.latency_ms for c in choices if c.accuracy >= lowest]):
        axes.set_ylim(bottom=lowest)
        axes.set_xlim(min(shown) * 0.93, max(shown) * 1.08)
    axes.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))  # a range of less than a decade has ticks too
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.set_xlabel("end-to-end latency (ms)")
    axes.set_ylabel("accuracy (%)")
