"""Figures of a sweep. Same input, same bytes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import style
from harness.tables import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from harness.published import Value

_PAPER = " (paper)"
_NOTE_WIDTH = 100  # characters of the small print under a figure


def latency(
    found: Sequence[Cell],
    titles: Mapping[str, str],
    *,
    axis_title: str,
    values: Mapping[float, str],
    log_scale: bool,
    note: str,
    out: Path,
    published: Sequence[Value] = (),
) -> list[Path]:
    """Latency against the axis: a line a scheme, bars for the interval of the median.

    Args:
        values: value of the axis -> text of its tick.
        note: what the times are (modelled, measured) and how far they can be trusted; printed under the figure.
        out: path without suffix; .png and .pdf are written.
        published: the paper's values, drawn dashed and open.
    """
    import matplotlib  # noqa: PLC0415 - half a second that --help need not wait for

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    with plt.rc_context(style.RC):
        figure, axes = plt.subplots(figsize=style.COLUMN_INCHES, layout="constrained")
        for index, scheme in enumerate(dict.fromkeys(c.scheme for c in found)):
            _one(axes, [c for c in found if c.scheme == scheme], titles.get(scheme, scheme), style.line(scheme, index))
        _published(axes, published)
        if log_scale:
            axes.set_xscale("log")
        axes.set_xticks(list(values), labels=list(values.values()))
        axes.minorticks_off()
        for label in axes.get_xticklabels():
            label.set_rotation(20)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
        axes.set_xlabel(axis_title)
        axes.set_ylabel("end-to-end latency (ms)")
        handles, labels = axes.get_legend_handles_labels()
        ours_first = sorted(range(len(labels)), key=lambda i: (labels[i].endswith(_PAPER), i))
        figure.legend(
            [handles[i] for i in ours_first],
            [labels[i] for i in ours_first],
            loc="outside upper center",
            ncols=3,
            frameon=False,
        )
        figure.supxlabel(textwrap.fill(note, _NOTE_WIDTH), fontsize=6.5, color="#444444")
        written = []
        out.parent.mkdir(parents=True, exist_ok=True)
        for kind in ("png", "pdf"):
            path = out.with_suffix(f".{kind}")
            figure.savefig(path, metadata=style.METADATA[kind])
            written.append(path)
        plt.close(figure)
    return written


def _one(axes: Axes, cells: Sequence[Cell], title: str, line: style.Line) -> None:
    drawn = [(c.value, c.latency) for c in cells if c.latency]
    x = [value for value, _ in drawn]
    y = [interval.median for _, interval in drawn]
    below = [interval.median - (interval.median if interval.low is None else interval.low) for _, interval in drawn]
    above = [(interval.median if interval.high is None else interval.high) - interval.median for _, interval in drawn]
    axes.errorbar(x, y, [below, above], label=title, color=line.colour, marker=line.marker, capsize=2.5)


def _published(axes: Axes, published: Sequence[Value]) -> None:
    for scheme in dict.fromkeys(v.scheme for v in published):
        own = sorted((v for v in published if v.scheme == scheme), key=lambda v: v.x)
        drawn = style.line(scheme, 0)
        axes.plot(
            [v.x for v in own],
            [v.value for v in own],
            label=own[0].title + _PAPER,
            color=drawn.colour,
            marker=drawn.marker,
            markerfacecolor="white",
            linestyle="--",
            linewidth=1.0,
        )
