"""Draws the figures of a sweep. The same input gives the same bytes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.cells import Cell
from harness.show import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.runs.published import Value

WAITING = "energy_network_uj"
_PAPER = " (paper)"
_THREE_COLUMNS = 22  # characters of a legend's text, of which three fit side by side
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
    """Draw latency against the axis: a line a scheme, bars for the interval of the median (or mean, as the cells say).

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
        mean = "mean " if any(c.wanted == "mean" for c in found) else ""
        axes.set_ylabel(f"{mean}end-to-end latency (ms)")
        handles, labels = axes.get_legend_handles_labels()
        ours_first = sorted(range(len(labels)), key=lambda i: (labels[i].endswith(_PAPER), i))
        figure.legend(
            [handles[i] for i in ours_first],
            [labels[i] for i in ours_first],
            loc="outside upper center",
            ncols=3 if max(map(len, labels), default=0) <= _THREE_COLUMNS else 2,
            frameon=False,
        )
        figure.supxlabel(textwrap.fill(note, _NOTE_WIDTH), fontsize=6.5, color="#444444")
        written = _saved(figure, out)
        plt.close(figure)
    return written


def energy(
    found: Sequence[Cell],
    titles: Mapping[str, str],
    *,
    axis_title: str,
    values: Mapping[float, str],
    note: str,
    out: Path,
) -> list[Path]:
    """Draw the energy of an inference: a group of bars a value of the axis, a bar a scheme, the waiting in a lighter
    shade.

    Args as `latency`. Median over the images; the energy that no stage was given (one too short for the probe) counts
    as the device's own.
    """
    import matplotlib  # noqa: PLC0415

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    with plt.rc_context(style.RC):
        figure, axes = plt.subplots(figsize=style.COLUMN_INCHES, layout="constrained")
        schemes = list(dict.fromkeys(c.scheme for c in found))
        width = 0.8 / len(schemes)
        places = {value: i for i, value in enumerate(values)}
        untold = False
        for index, scheme in enumerate(schemes):
            own = [(c, uj / 1e3) for c in found if c.scheme == scheme and (uj := c.middle("energy_uj")) is not None]
            colour, wide = style.line(scheme, index).colour, width * 0.92
            named: Any = {"label": titles.get(scheme, scheme)}
            for cell, whole in own:
                place, wait_uj = places[cell.value] + (index - (len(schemes) - 1) / 2) * width, cell.middle(WAITING)
                if wait_uj is None:  # not told apart, so not drawn apart
                    axes.bar(
                        place, whole, wide, facecolor=colour, hatch="////", edgecolor="white", linewidth=0, **named
                    )
                    untold = True
                else:
                    device = whole - wait_uj / 1e3
                    axes.bar(place, device, wide, color=colour, **named)
                    axes.bar(place, whole - device, wide, bottom=device, color=colour, alpha=0.45)
                named = {}
        axes.set_xticks(range(len(values)), labels=list(values.values()))
        axes.grid(visible=False, axis="x")
        axes.set_xlabel(axis_title)
        axes.set_ylabel("energy of an inference (mJ)")
        handles, _ = axes.get_legend_handles_labels()
        light = Patch(color="#000000", alpha=0.3, linewidth=0, label="lighter: waiting for network and edge")
        kinds = [light, Patch(facecolor="#777777", hatch="////", edgecolor="white", label="striped: not told apart")]
        figure.legend(handles=[*handles, *kinds[: 1 + untold]], loc="outside upper center", ncols=2, frameon=False)
        figure.supxlabel(textwrap.fill(note, _NOTE_WIDTH), fontsize=6.5, color="#444444")
        written = _saved(figure, out)
        plt.close(figure)
    return written


def _saved(figure: Figure, out: Path) -> list[Path]:
    written = []
    out.parent.mkdir(parents=True, exist_ok=True)
    for kind in ("png", "pdf"):
        path = out.with_suffix(f".{kind}")
        figure.savefig(path, metadata=style.METADATA[kind])
        written.append(path)
    return written


def _one(axes: Axes, cells: Sequence[Cell], title: str, line: style.Line) -> None:
    drawn = [(c.value, c.latency) for c in cells if c.latency]
    x = [value for value, _ in drawn]
    y = [interval.middle for _, interval in drawn]
    below = [interval.middle - (interval.middle if interval.low is None else interval.low) for _, interval in drawn]
    above = [(interval.middle if interval.high is None else interval.high) - interval.middle for _, interval in drawn]
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
