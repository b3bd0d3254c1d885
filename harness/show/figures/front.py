"""Draws accuracy against latency with the Pareto front: which scheme is worth its time on this link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.pareto import Choice, pareto
from harness.show import style
from harness.show.figures.draw import look


def draw_front(axes: Any, choices: Sequence[Choice]) -> None:
    """Draw a marker a choice, and the front as a step line through those on it."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    for kind in dict.fromkeys(look(c.source).suffix for c in choices):
        own = [c for c in choices if look(c.source).suffix == kind]
        on = pareto(own)
        if len(on) > 1:
            axes.step(
                [c.latency_ms for c in on],
                [c.accuracy for c in on],
                where="post",
                color="#777777",
                linewidth=0.8,
                linestyle="-" if look(own[0].source).filled else "--",
                label=f"Pareto front ({kind})",
                zorder=1,
            )
        for index, c in enumerate(own):
            drawn, way = style.line(c.scheme, index), look(c.source)
            axes.plot(
                c.latency_ms,
                c.accuracy,
                drawn.marker,
                color=drawn.colour,
                markersize=6 if c in on else 4.5,
                markerfacecolor=drawn.colour if way.filled else "white",
                label=f"{c.title} ({kind})",
                zorder=2,
            )
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))  # a range of less than a decade has ticks too
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.set_xlabel("end-to-end latency (ms)")
    axes.set_ylabel("accuracy (%)")
