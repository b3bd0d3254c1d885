"""What a sweep leaves behind: samples, tables, plots, and the table on the screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from harness import plots, stats, tables
from harness.contracts.testbed import TestbedDescription
from harness.measurements import STAGES
from harness.published import Value
from harness.store import Store, csv_text
from harness.sweep.axes import Axis
from harness.tables import Accuracy, Cell

STAGE_HEADER = ["scheme", "value", *(f"{stage} ms" for stage in STAGES), "total ms"]


def write(
    store: Store,
    axis: Axis,
    *,
    values: Sequence[float],
    titles: Mapping[str, str],
    testbed: TestbedDescription,
    accuracies: Mapping[str, Accuracy],
    published: Sequence[Value] = (),
) -> tuple[list[Cell], list[Path]]:
    """Write samples.csv, tables and plots from the journal; the cells and the files written."""
    store.write_samples()
    found = tables.cells(store.rows(), axis.column, list(titles))
    shown = {value: axis.show(value) for value in sorted(values)}
    header, lines = tables.summary(found, titles, shown, accuracies)
    note = time_note(found, testbed)
    written = [
        store.write_text(
            f"tables/{axis.name}.csv", csv_text(tables.COLUMNS, tables.table(found, axis.name, accuracies))
        ),
        store.write_text(
            f"tables/{axis.name}.md",
            f"Latency in ms: median over the images with its 95 % bootstrap interval. {note}\n\n"
            + tables.markdown(header, lines),
        ),
        store.write_text(
            "tables/stages.md",
            f"Medians in ms over the images. {note}\n\n"
            + tables.markdown(STAGE_HEADER, tables.stage_lines(found, titles, shown)),
        ),
    ]
    if any(cell.latency for cell in found):
        written += plots.latency(
            found,
            titles,
            axis_title=axis.title,
            values=shown,
            log_scale=axis.log_scale,
            note=note,
            out=store.path(f"plots/latency_vs_{axis.name}"),
            published=published,
        )
    return found, written


def time_note(found: Sequence[Cell], testbed: TestbedDescription) -> str:
    """What the times are and how far they can be trusted."""
    sources = sorted({s for cell in found for s in cell.source("total_ms").split("+") if s})
    kind = " and ".join(sources) or testbed.time_source
    error = f" ({testbed.remarks})" if testbed.remarks else ""
    return f"Times {kind} on {testbed.title}{error}."


def show(
    console: Console,
    found: Sequence[Cell],
    *,
    titles: Mapping[str, str],
    values: Mapping[float, str],
    accuracies: Mapping[str, Accuracy],
    note: str,
) -> None:
    """The table that the command ends with."""
    header, lines = tables.summary(found, titles, values, accuracies)
    title = "Latency in ms: median over the images [95 % interval]"
    table = Table(title=title, caption=note, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right")
    for line in lines:
        table.add_row(*(cell.replace(" [", "\n[").replace(" (", "\n(") for cell in line))
    console.print(table)


def warnings(found: Sequence[Cell], rows: Sequence[Mapping[str, Any]], axis: Axis) -> list[str]:
    """What a reader of the table should know."""
    said = []
    odd: dict[tuple[str, int], list[str]] = {}
    for cell in found:
        value = axis.show(cell.value)
        if cell.failed:
            n = cell.failed + len(cell.rows)
            said.append(f"{cell.scheme} at {value}: {cell.failed} of {n} samples failed, see samples.csv")
        for i in stats.outliers([float(r["total_ms"]) for r in cell.rows]):
            odd.setdefault((cell.scheme, int(cell.rows[i]["image"])), []).append(value)
    for (scheme, image), values in odd.items():
        said.append(f"{scheme}: latency of image {image} is far from the others' at {', '.join(values)} (kept)")
    said += [f"no energy of {why} ({n} samples)" for why, n in _reasons(rows).items()]
    retried = sum(int(r.get("retries") or 0) for r in rows)
    if retried:
        said.append(f"{retried} requests to the device had to be repeated")
    return said


def _reasons(rows: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Why energies are null, by stage. Stages that are too short differ in their lengths: those count as one."""
    told = [why for r in rows for why in str(r.get("energy_reason") or "").split("; ") if why]
    return Counter(re.sub(r"[\d.e+-]+ us is shorter", "shorter", why) for why in told)
