"""Draws a latency along an axis, for sweeps and figures alike: the data large, each line named at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analysis.datum import Datum
from harness.show import style
from harness.show.figures import draw, lines
from harness.show.figures.draw import look

_PANEL = 0.82  # height of a further panel, in usual heights
_TALL = 1.05
_LABEL_POINTS = 7.0  # from one label to the next
_DODGE = 0.012  # from one scheme's marks to the next, as a share of the axis: equal values stay apart
_SECOND = {"total_ms_p95": "95th percentile (ms)"}


def page(
    out: Path,
    ours: Sequence[Datum],
    published: Sequence[Datum] = (),
    *,
    title: str,
    ticks: Mapping[float, str],
    log: bool,
    y_label: str,
    note: str,
    tails: bool = False,
) -> list[Path]:
    """Draw one panel of ours, one of our tails if asked, and one of the paper's lines; the files written.

    Args:
        tails: 95th percentiles get a panel of their own, as where losses put them far from the mean or under it; else
            a whisker reaches to each.
        ours, published: latencies in ms; a published value that is a single point, no line, is left out.
        ticks: value of the axis -> its text.
    """
    if not tails:
        ours, note = _whiskered(ours, note)
    drawn = [d for d in published if sum(p.scheme == d.scheme for p in published) > 1]
    seconds = [(label, own) for name, label in _SECOND.items() if (own := [d for d in ours if d.metric == name])]
    panels = [(y_label, [d for d in ours if d.metric not in _SECOND]), *seconds]
    panels += [("the paper's latency (ms)", drawn)] if drawn else []
    height = _TALL + _PANEL * (len(panels) - 1)
    with draw.page(out, note=note, height=height, nrows=len(panels), squeeze=False, sharex=True) as all_axes:
        for axes, (label, data) in zip(all_axes[:, 0], panels, strict=True):
            _panel(axes, data, log=log)
            axes.set_ylabel(label)
            lines.ticks(axes, {x: short(text, title) for x, text in ticks.items()}, log=log, y_log=True)
        all_axes[-1, 0].set_xlabel(title)
    return [out.with_name(f"{out.name}.{kind}") for kind in draw.FORMATS]


def _whiskered(ours: Sequence[Datum], note: str) -> tuple[list[Datum], str]:
    """Return the values with a whisker to the 95th percentile where one is known, and the note that says so."""
    p95 = {(d.scheme, d.testbed, d.x): d.value for d in ours if d.metric in _SECOND}
    if not p95:
        return list(ours), note
    found = []
    for d in (d for d in ours if d.metric not in _SECOND):
        high = p95.get((d.scheme, d.testbed, d.x))
        found.append(d if high is None else replace(d, low=d.value, high=max(high, d.value)))
    return found, f"{note} Whiskers: to the 95th percentile."


def short(text: str, title: str) -> str:
    """Return a tick as it fits beside its neighbours: 270k for 270 kbit/s, 10 for 10 ms where the title says (ms)."""
    number, _, unit = text.partition(" ")
    if title.endswith(f"({unit})"):
        return number
    return number + unit.removesuffix("bit/s") if unit.endswith("bit/s") else text.replace(" ", "\u2009")


def _panel(axes: Any, data: Sequence[Datum], *, log: bool) -> None:
    groups: dict[tuple[str, str], list[Datum]] = {}
    for d in data:
        groups.setdefault((d.scheme, d.testbed), []).append(d)
    beds = {bed for _, bed in groups}
    span = max((d.x for d in data), default=1.0) - min((d.x for d in data), default=0.0)
    named = []
    for i, ((scheme, bed), own) in enumerate(groups.items()):
        own.sort(key=lambda d: d.x)
        aside, looks, kind = i - (len(groups) - 1) / 2, style.line(scheme, i), look(own[0].source)
        x = [d.x * (1 + _DODGE * aside) if log else d.x + _DODGE * span * aside for d in own]
        first = scheme == "agilenn"
        axes.errorbar(
            x,
            [d.value for d in own],
            [[d.value - (d.value if d.low is None else d.low) for d in own],
             [(d.value if d.high is None else d.high) - d.value for d in own]],
            color=looks.colour,
            marker=looks.marker,
            markerfacecolor=looks.colour if kind.filled else "white",
            markeredgecolor="white" if kind.filled else looks.colour,
            markeredgewidth=0.5,
            markersize=5 if first else 4,
            linestyle=kind.dash,
            linewidth=1.9 if first else 1.1,
            capsize=2 if kind.filled else 0,
            zorder=4 if first else 3,
        )  # fmt: skip
        where = f", {bed}" if len(beds) > 1 and bed else ""
        named.append((f"{own[0].title}{where}", x[-1], own[-1].value, looks.colour))
    axes.set_yscale("log")
    _name(axes, named)


def _name(axes: Any, named: Sequence[tuple[str, float, float, str]]) -> None:
    """Write each line's name beside its end, names that would lie on each other apart."""
    low, high = axes.get_ylim()
    points = axes.get_position().height * axes.figure.get_size_inches()[1] * 72 * 0.8
    gap = _LABEL_POINTS / points
    ends = sorted(named, key=lambda one: one[2])
    places = [axes.transScale.transform((1.0, y))[1] for _, _, y, _ in ends]
    bottom, top = (axes.transScale.transform((1.0, y))[1] for y in (low, high))
    shares = [(p - bottom) / (top - bottom) for p in places]
    for i in range(1, len(shares)):
        shares[i] = max(shares[i], shares[i - 1] + gap)
    over = max(0.0, (shares[-1] if shares else 0.0) - 1.0)
    shares = [s - over * (i + 1) / len(shares) for i, s in enumerate(shares)]
    for i in range(len(shares) - 2, -1, -1):
        shares[i] = min(shares[i], shares[i + 1] - gap)
    for (text, x, y, colour), share in zip(ends, shares, strict=True):
        axes.annotate(
            text,
            (x, y),
            (1.04, share),
            xycoords="data",
            textcoords="axes fraction",
            va="center",
            fontsize=6.5,
            color=colour,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.5,
                "shrinkA": 1,
                "shrinkB": 3,
                "relpos": (0, 0.5),
            },
        )
