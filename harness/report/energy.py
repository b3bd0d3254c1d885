"""Reports the energy of a sweep's samples: tables, bars, and ratios beside the paper's (Fig 19)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from harness.analysis.captions import rule, sources
from harness.analysis.cells import Cell
from harness.measure.axes import Axis
from harness.power.ratios import energy_ratios
from harness.runs.measurements import ENERGY_METRICS, POWER_METRICS
from harness.runs.published import Value
from harness.runs.store import Store, csv_text
from harness.show import plots, table_files

BASE = "agilenn"
COLUMNS = (
    "scheme",
    "axis",
    "value",
    "n",
    "void",
    "energy_uj",
    "energy_uj_low",
    "energy_uj_high",
    *(name for name in ENERGY_METRICS if name != "energy_uj"),
    "ratio",
    "published_ratio",
    "energy_source",
    "energy_rail",
    *POWER_METRICS,
)
_HEADER = ["scheme", "value", "local uJ", "encode uJ", "waiting uJ", "combine uJ", "total uJ", "n"]


def write(
    store: Store,
    axis: Axis,
    found: Sequence[Cell],
    *,
    values: Mapping[float, str],
    titles: Mapping[str, str],
    published: Sequence[Value],
    out: Console,
) -> list[Path]:
    """Write tables/energy.csv and .md and plots/energy, show the table, and return the files written."""
    lines = rows(found, axis.name, published)
    paper = {v.scheme: f"{v.title} (paper)" for v in published}
    text = _lines(lines, values, {**paper, **titles})
    header = [*_HEADER, f"/ {titles.get(BASE, BASE)}", *(["paper"] if published else [])]
    text = [line[: len(header)] for line in text]
    note = energy_note(found)
    title = f"Energy of an inference: {rule(found, ours=axis.statistic)}"
    shown = Table(title=title, caption=note, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        shown.add_column(name, justify="left" if i == 0 else "right")
    for line in text:
        shown.add_row(*line)
    out.print(shown)
    written = [
        store.write_text("tables/energy.csv", csv_text(COLUMNS, lines)),
        *table_files.write(store, "energy", caption=title, note=note, header=header, lines=text),
    ]
    if any(line["energy_uj"] is not None for line in lines):
        path = store.path("plots/energy")
        written += plots.energy(found, titles, axis_title=axis.title, values=values, note=note, out=path)
    return written


def rows(found: Sequence[Cell], axis: str, published: Sequence[Value]) -> list[dict[str, Any]]:
    """Return the rows of tables/energy.csv: one a scheme and value, then the paper's other schemes without a value."""
    paper_mj = {v.scheme: v.value for v in published}
    lines = [_row(cell, axis) for cell in found]
    for value in dict.fromkeys(cell.value for cell in found):
        at = {c.scheme: c.middle("energy_uj") for c in found if c.value == value}
        for ratio in energy_ratios(at, paper_mj, BASE):
            line = next(x for x in lines if (x["scheme"], x["value"]) == (ratio.scheme, value))
            line |= {"ratio": ratio.ratio, "published_ratio": ratio.published_ratio}
    others: dict[str, float | None] = {s: None for s in paper_mj if s not in {c.scheme for c in found}}
    return lines + [
        {"scheme": r.scheme, "axis": axis, "published_ratio": r.published_ratio, "energy_source": "published"}
        for r in energy_ratios(others, paper_mj, BASE)
    ]


def energy_note(found: Sequence[Cell]) -> str:
    """Say what the energies are."""
    rails = sorted({str(r["energy_rail"]) for cell in found for r in cell.rows if r.get("energy_rail")})
    kind = " and ".join(sources(found, "energy_uj")) or "none"
    return (
        f"Energy {kind}; rail: {'; '.join(rails) or 'unknown'}; idle not subtracted; the remote service is part of the "
        "waiting. Compare ratios, not joules (docs/power.md)."
    )


def _row(cell: Cell, axis: str) -> dict[str, Any]:
    known = [float(r["energy_uj"]) for r in cell.rows if r.get("energy_uj") is not None]
    interval = cell.interval("energy_uj")
    return {
        "scheme": cell.scheme,
        "axis": axis,
        "value": cell.value,
        "n": len(known),
        "void": len(cell.rows) - len(known),
        **{name: cell.middle(name) for name in ENERGY_METRICS},
        "energy_uj_low": interval and interval.low,
        "energy_uj_high": interval and interval.high,
        "energy_source": cell.source("energy_uj"),
        "energy_rail": next((r["energy_rail"] for r in cell.rows if r.get("energy_rail")), None),
        **{name: cell.middle(name) for name in POWER_METRICS},
    }


def _lines(
    lines: Sequence[Mapping[str, Any]], values: Mapping[float, str], titles: Mapping[str, str]
) -> list[list[str]]:
    stages = ("energy_local_uj", "energy_encode_uj", "energy_network_uj", "energy_combine_uj", "energy_uj")
    return [
        [
            titles.get(line["scheme"], line["scheme"]),
            values[line["value"]] if "value" in line else "",
            *(ENERGY_METRICS[name].show(line.get(name)) for name in stages),
            str(line.get("n", "")),
            _ratio(line.get("ratio")),
            _ratio(line.get("published_ratio")),
        ]
        for line in lines
    ]


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
