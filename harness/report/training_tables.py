"""Makes what a training sweep shows and leaves: table with the paper's figures beside ours, CSV, Markdown, a plot."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from harness.runs.trained_rows import RATES, Row
from harness.show import style, tables
from harness.show.figures import draw
from harness.training.sweep.axes import Published
from harness.training.sweep.pareto import front

# Column -> text of its head, factor from our unit to the shown one, digits.
HEADS: dict[str, tuple[str, float, int]] = {
    "accuracy": ("accuracy %", 100.0, 1),
    "validation_accuracy": ("validation %", 100.0, 1),
    "local_accuracy": ("local %", 100.0, 1),
    "remote_accuracy": ("remote %", 100.0, 1),
    "skewness": ("skewness %", 100.0, 1),
    "violations": ("out of order %", 100.0, 1),
    "alpha": ("alpha", 1.0, 2),
    "payload_bytes_mean": ("payload B", 1.0, 0),
    "payload_bytes_p95": ("p95 B", 1.0, 0),
    "compression": ("compression", 1.0, 1),
    "train_s": ("training s", 1.0, 0),
    "share_sent": ("sent %", 100.0, 1),
    "cycles": ("cycles M", 1e-6, 2),
    "local_ms": ("local ms", 1.0, 2),
    "total_270k_ms": ("270 kbit/s ms", 1.0, 1),
    "total_2m_ms": ("2 Mbit/s ms", 1.0, 1),
    "total_6m_ms": ("6 Mbit/s ms", 1.0, 1),
    "accuracy_sd": ("sd points", 100.0, 2),
    "seeds": ("seeds", 1.0, 0),
    "bytes_lzw": ("LZW B", 1.0, 0),
    "bytes_context": ("context B", 1.0, 0),
    "train_flop": ("TFLOP", 1e-12, 1),
    "train_cpu_s": ("CPU s", 1.0, 0),
}


def cell(column: str, value: float | None) -> str:
    """Return a value as the table shows it."""
    if value is None:
        return "–"
    _, factor, digits = HEADS[column]
    return f"{factor * value:,.{digits}f}"


def over_seeds(rows: Sequence[Row]) -> list[Row]:
    """Return one row a value: the mean of every number over the seeds, how many there are (`seeds`), and the sample's
    standard deviation of the accuracy (`accuracy_sd`, None for one seed).
    """
    found = []
    for value in dict.fromkeys(str(row["value"]) for row in rows):
        own = [row for row in rows if str(row["value"]) == value]
        mean: Row = {"value": value, "seeds": len(own)}
        for column in HEADS:
            numbers = [float(row[column]) for row in own if row.get(column) is not None]
            mean.setdefault(column, statistics.fmean(numbers) if numbers else None)
        right = [float(row["accuracy"]) for row in own]
        found.append(mean | {"accuracy_sd": statistics.stdev(right) if len(right) > 1 else None})
    return found


def table(rows: Sequence[Row], columns: Sequence[str], published: Published, paper: str) -> tuple[list[str], list[Any]]:
    """Return header and lines: a line a value; each column that the paper has too is followed by the paper's, called
    so.
    """
    theirs = [c for c in columns if any(metric == c for _, metric in published)]
    header = ["value"]
    for column in columns:
        header.append(HEADS[column][0])
        if column in theirs:
            header.append(f"paper ({paper})")
    lines = []
    for row in rows:
        line = [str(row["value"])]
        for column in columns:
            line.append(cell(column, row.get(column)))
            if column in theirs:
                value = published.get((str(row["value"]), column))
                line.append("–" if value is None else f"{value:g}")  # in the paper's unit, which is ours as shown
        lines.append(line)
    return header, lines


def on_screen(console: Console, title: str, note: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print the table that the command ends with."""
    shown = Table(title=title, caption=note, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        shown.add_column(name, justify="left" if i == 0 else "right")
    for line in lines:
        shown.add_row(*line)
    console.print(shown)


def markdown(title: str, note: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return the same as a Markdown file."""
    return f"# {title}\n\n{note}\n\n{tables.markdown(header, lines)}"


def plot(
    rows: Sequence[Row], columns: Sequence[str], published: Published, *, axis_title: str, note: str, out: Path
) -> list[Path]:
    """Plot shares against the values: lines for numbers, bars for names; the paper's are dashed or hatched. It is
    saved in every format.

    Returns nothing where no share is among `columns`.
    """
    shares = [c for c in columns if HEADS[c][1] == 100.0 and any(r.get(c) is not None for r in rows)][:3]
    if not shares or not rows:
        return []
    values = [str(r["value"]) for r in rows]
    numbers = _numbers(values)
    with draw.page(out, note=note) as axes:
        for index, column in enumerate(shares):
            name = HEADS[column][0].removesuffix(" %")
            drawn = style.line("", index + 4)
            ours = [(i, 100 * r[column]) for i, r in enumerate(rows) if r.get(column) is not None]
            theirs = [(i, published[v, column]) for i, v in enumerate(values) if (v, column) in published]
            if numbers is not None:
                order = sorted(ours, key=lambda p: numbers[p[0]])
                axes.plot(
                    [numbers[i] for i, _ in order],
                    [y for _, y in order],
                    label=name,
                    color=drawn.colour,
                    marker=drawn.marker,
                )
                order = sorted(theirs, key=lambda p: numbers[p[0]])
                if order:
                    axes.plot(
                        [numbers[i] for i, _ in order],
                        [y for _, y in order],
                        label=f"{name} (paper)",
                        color=drawn.colour,
                        marker=drawn.marker,
                        markerfacecolor="white",
                        linestyle="--",
                        linewidth=1.0,
                    )
            else:
                width = 0.8 / len(shares)
                shift = (index - (len(shares) - 1) / 2) * width
                axes.bar(
                    [i + shift for i, _ in ours],
                    [y for _, y in ours],
                    width * 0.9,
                    color=drawn.colour,
                    label=name,
                )
                if theirs:
                    axes.plot(
                        [i + shift for i, _ in theirs],
                        [y for _, y in theirs],
                        color="black",
                        marker="_",
                        markersize=12,
                        linestyle="none",
                        label=f"{name} (paper)",
                    )
        if numbers is None:
            axes.set_xticks(range(len(values)), labels=values)
            for label in axes.get_xticklabels():
                label.set_rotation(20 if len(values) > 5 else 0)
        axes.set_xlabel(axis_title)
        axes.set_ylabel("%")
        axes.figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return draw.files(out)


def against_latency(rows: Sequence[Row], *, marked: str, label: str, joined: bool, note: str, out: Path) -> list[Path]:
    """Plot accuracy against the total latency, a panel a rate, in every format; the row `marked` stands out.

    Args:
        joined: the rows are steps of one setting: draw a line through them. Else the front is drawn.
    """
    with draw.page(out, note=note, width=2.0, height=1.1 if joined else 1.4, ncols=len(RATES), sharey=True) as panels:
        drawn, other = style.line("agilenn", 0), style.line("", 5)
        for axes, total in zip(panels, RATES, strict=True):
            x, y = [r[total] for r in rows], [100 * r["accuracy"] for r in rows]
            if joined:
                axes.plot(x, y, color=drawn.colour, marker=drawn.marker, markersize=3)
            else:
                best = sorted((r[total], 100 * r["accuracy"]) for r in rows if r["value"] in front(rows, total))
                axes.plot([p[0] for p in best], [p[1] for p in best], color="#777777", linewidth=0.8, label="front")
                for i, row in enumerate(rows):
                    own = style.line("", i)
                    where = {"color": own.colour, "marker": own.marker, "linestyle": "none"}
                    axes.plot([row[total]], [100 * row["accuracy"]], **where, label=str(row["value"]))
            for row in rows:
                if row["value"] == marked:
                    axes.plot(
                        [row[total]],
                        [100 * row["accuracy"]],
                        color=other.colour,
                        marker="*",
                        markersize=11,
                        markerfacecolor=other.colour if joined else "none",
                        linestyle="none",
                        label=label,
                    )
            axes.set_title(HEADS[total][0].removesuffix(" ms"))
            axes.set_xlabel("mean latency (ms)")
            axes.set_xlim(0, 1.1 * max(x))
        panels[0].set_ylabel("accuracy (%)")
        handles, labels = panels[0].get_legend_handles_labels()
        panels[0].figure.legend(handles, labels, loc="outside upper right", ncols=1 if joined else 5, frameon=False)
    return draw.files(out)


def _numbers(values: Sequence[str]) -> list[float] | None:
    try:
        return [float(value) for value in values]
    except ValueError:
        return None
