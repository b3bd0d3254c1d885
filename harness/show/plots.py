"""Draws the figures of a sweep. The same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.cells import Cell
from harness.analysis.datum import PUBLISHED, Datum
from harness.show import style
from harness.show.figures import along, draw

if TYPE_CHECKING:
    from harness.runs.published import Value

WAITING = "energy_network_uj"


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
        out: path without suffix; .png, .pdf and .svg are written.
        published: the paper's values, in a panel of their own where they are lines.
    """
    mean = "mean " if any(c.wanted == "mean" for c in found) else ""
    own = [d for c in found for d in _data(c, titles)]
    paper = [Datum(v.dataset, v.scheme, v.title, v.metric, "ms", "", v.x, v.value, PUBLISHED) for v in published]
    return along.page(
        out, own, paper, title=axis_title, ticks=values, log=log_scale, y_label=f"{mean}latency (ms)", note=note,
        tails=any(c.exact for c in found),
    )  # fmt: skip


def _data(cell: Cell, titles: Mapping[str, str]) -> list[Datum]:
    """Return a cell's latency with its interval, and its tail where that is exact."""
    if cell.latency is None:
        return []
    plain, source = ("", cell.scheme, titles.get(cell.scheme, cell.scheme)), cell.source("total_ms")
    middle = cell.latency
    found = [Datum(*plain, "total_ms", "ms", "", cell.value, middle.middle, source, middle.low, middle.high, middle.n)]
    if (cell.exact or cell.whole) and (p95 := cell.percentile(95)) is not None:
        found.append(Datum(*plain, "total_ms_p95", "ms", "", cell.value, p95, source))
    return found


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
    from matplotlib.patches import Patch  # noqa: PLC0415

    with draw.page(out, note=note) as axes:
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
        axes.set_xticks(range(len(values)), labels=[along.short(text, axis_title) for text in values.values()])
        axes.grid(visible=False, axis="x")
        axes.set_xlabel(axis_title)
        axes.set_ylabel("energy of an inference (mJ)")
        handles, _ = axes.get_legend_handles_labels()
        light = Patch(color="#000000", alpha=0.3, linewidth=0, label="lighter: waiting for network and edge")
        kinds = [light, Patch(facecolor="#777777", hatch="////", edgecolor="white", label="striped: not told apart")]
        axes.figure.legend(handles=[*handles, *kinds[: 1 + untold]], loc="outside upper center", ncols=2, frameon=False)
    return draw.files(out)
