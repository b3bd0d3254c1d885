"""Draws bars: stacked by stage (Fig 16), and grouped by scheme (Figs 19, 20, 24)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.analysis.datum import Datum, pick
from harness.show import style
from harness.show.figures.draw import look

STAGE_NAMES = {
    "local_ms": "local network",
    "encode_ms": "quantise, encode",
    "network_ms": "network",
    "remote_ms": "remote network",
    "combine_ms": "combine",
}
# Okabe and Ito's colours; dark and light alternate, so that neighbours differ in grey.
_STAGE_COLOURS = ("#0072B2", "#F0E442", "#D55E00", "#56B4E9", "#000000")


def breakdown(axes: Any, groups: Sequence[tuple[str, Sequence[Datum]]]) -> None:
    """Draw a horizontal bar for each (label, values of one scheme), stacked by stage; grey where only the sum
    is known.
    """
    for place, (_, data) in enumerate(groups):
        left = 0.0
        published = any(d.source == "published" for d in data)
        for (metric, _), colour in zip(STAGE_NAMES.items(), _STAGE_COLOURS, strict=True):
            found = pick(data, metric)
            if not found:
                continue
            value = found[0].value
            axes.barh(
                place,
                value,
                0.62,
                left=left,
                facecolor="white" if published else colour,
                edgecolor=colour if published else "#333333",
                linewidth=0.9 if published else 0.3,
                hatch=look(found[0].source).hatch,
            )
            left += value
        total = pick(data, "total_ms")
        if total and not left:  # only the sum is known: a grey bar
            left = total[0].value
            axes.barh(place, left, 0.62, facecolor="white", edgecolor="#777777", linewidth=0.9)
        if total:
            axes.text(left, place, f" {total[0].value:.1f}", va="center", ha="left", fontsize=6.5)
    axes.set_yticks(range(len(groups)), labels=[label for label, _ in groups])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.14)


def stage_handles() -> list[Any]:
    """Return what a legend of stages says."""
    from matplotlib.patches import Patch  # noqa: PLC0415

    handles = [
        Patch(facecolor=colour, edgecolor="#333333", linewidth=0.3, label=name)
        for name, colour in zip(STAGE_NAMES.values(), _STAGE_COLOURS, strict=True)
    ]
    handles.append(Patch(facecolor="#cccccc", edgecolor="#333333", hatch="////", linewidth=0.3, label="modelled"))
    handles.append(Patch(facecolor="white", edgecolor="#333333", linewidth=0.9, label="open: paper"))
    return handles


def grouped(
    axes: Any, data: Sequence[Datum], places: Sequence[str], place_of: Callable[[Datum], str], *, digits: int = 0
) -> None:
    """Draw bars side by side: a group for each of `places`, a bar for each scheme and source in it.

    Args:
        place_of: Datum -> the name of its place.
    """
    at_place = {place: [d for d in data if place_of(d) == place] for place in places}
    width = 0.84 / max(1, *(len(own) for own in at_place.values()))
    styles = list(dict.fromkeys(d.scheme for d in data))
    named: set[str] = set()
    for i, own in enumerate(at_place.values()):
        for j, d in enumerate(own):
            colour, kind = style.line(d.scheme, styles.index(d.scheme)).colour, look(d.source)
            label = d.title if kind.filled else f"{d.title} ({kind.suffix})"
            x = i + (j - (len(own) - 1) / 2) * width
            axes.bar(
                x,
                d.value,
                width * 0.92,
                label="_" if label in named else label,
                facecolor=colour if kind.filled else "white",
                edgecolor="#333333" if kind.filled else colour,
                linewidth=0.3 if kind.filled else 0.9,
                hatch=kind.hatch,
            )
            if d.low is not None and d.high is not None:
                axes.plot([x, x], [d.low, d.high], color="#000000", linewidth=0.8, zorder=5)
            named.add(label)
            top = d.value if d.high is None else d.high
            axes.text(x, top, f"{d.value:,.{digits}f}", ha="center", va="bottom", fontsize=5)
    axes.set_xticks(range(len(places)), labels=list(places))
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.12)
