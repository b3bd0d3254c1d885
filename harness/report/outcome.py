"""Writes what a sweep leaves behind: samples, tables, plots, and the table on the screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from harness.analysis import chance, stability, stats, tail
from harness.analysis.captions import complaints, rule, rule_of_exits, sentence, sources
from harness.analysis.cells import Accuracy, Cell, cells
from harness.contracts.testbed import TestbedDescription
from harness.measure.axes import Axis
from harness.runs.manifest import PinnedFacts
from harness.runs.measurements import STAGES
from harness.runs.published import Value
from harness.runs.store import Store, csv_text
from harness.show import plots, table_files, tables
from harness.sweep.repeat import Procedure

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
    deadline_ms: float | None = None,
) -> tuple[list[Cell], list[Path]]:
    """Write samples.csv, tables and plots from the journal; return the cells and the files written."""
    store.write_samples()
    facts = store.facts()
    found = cells(store.rows(), axis.column, list(titles), axis.statistic, accuracies, chance.of_run(facts))
    shown = {value: axis.show(value) for value in sorted(values)}
    header, lines = tables.summary(found, titles, shown, accuracies)
    note = time_note(found, testbed, facts.pinned)
    told = tail.rows(found, axis.name, deadline_ms)
    tail_header, tail_lines = tail.lines(told, titles, shown)
    csv = {axis.name: (tables.COLUMNS, tables.table(found, axis.name, accuracies)), "tail": (tail.COLUMNS, told)}
    written = [store.write_text(f"tables/{name}.csv", csv_text(*table)) for name, table in csv.items()]
    caption = f"Latency in ms with {tables.spread(found)}: {rule(found, ours=axis.statistic)}"
    stages = tables.stage_lines(found, titles, shown)
    written += table_files.write(store, axis.name, caption=caption, note=note, header=header, lines=lines)
    written += table_files.write(
        store,
        "stages",
        caption=f"Stages in ms: {rule(found, ours=axis.statistic)}",
        note=note,
        header=STAGE_HEADER,
        lines=stages,
    )
    written += table_files.write(
        store, "tail", caption="The slow end of the latencies", note=note, header=tail_header, lines=tail_lines
    )
    if any(cell.latency for cell in found):
        written += plots.latency(
            found,
            titles,
            axis_title=axis.title,
            values=shown,
            log_scale=axis.log_scale,
            note=f"{note} {sentence(rule(found, ours=axis.statistic))}",
            out=store.path(f"plots/latency_vs_{axis.name}"),
            published=published,
        )
    return found, written


def time_note(found: Sequence[Cell], testbed: TestbedDescription, pinned: PinnedFacts | None = None) -> str:
    """Say what the times are and how far they can be trusted."""
    kind = " and ".join(sources(found, "total_ms")) or testbed.time_source
    error = f" ({testbed.remarks})" if testbed.remarks else ""
    mixed = rule_of_exits(found)
    mean = f" {sentence(mixed)}" if mixed else ""
    remote = f"; {pinned.told}" if pinned and any(c.middle("remote_ms") for c in found) else ""
    return f"Times {kind} on {testbed.title}{error}{remote}.{mean}"


def show(
    console: Console,
    found: Sequence[Cell],
    *,
    titles: Mapping[str, str],
    values: Mapping[float, str],
    accuracies: Mapping[str, Accuracy],
    note: str,
) -> None:
    """Print the table that the command ends with."""
    header, lines = tables.summary(found, titles, values, accuracies)
    ours = found[0].wanted if found else "median"
    whole = any(c.whole for c in found)
    title = f"Latency in ms: {'mean of the test set' if whole else f'{ours} over the pictures'} [95 % interval]"
    title = title.replace("[95 % interval]", "(95th percentile)") if whole else title
    table = Table(title=title, caption=note, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right")
    for line in lines:
        table.add_row(*(cell.replace(" [", "\n[").replace(" (", "\n(") for cell in line))
    console.print(table)


def warnings(
    found: Sequence[Cell], rows: Sequence[Mapping[str, Any]], axis: Axis, procedure: Procedure | None = None
) -> list[str]:
    """Return what a reader of the table should know."""
    said = []
    odd: dict[tuple[str, str], list[int]] = {}
    for cell in found:
        value = axis.show(cell.value)
        if cell.failed:
            n = cell.failed + len(cell.rows)
            said.append(f"{cell.scheme} at {value}: {cell.failed} of {n} samples failed, see samples.csv")
        if cell.rows and cell.latency is None:
            sent = 100 * (1 - (cell.test_exits or 0.0))
            said.append(
                f"{cell.scheme} at {value}: all timed pictures exited early, of the test set {sent:.0f} % are sent: "
                "no latency can be told, time more pictures (--images)"
            )
        # Along an axis of chance a few samples are meant to be far off; and so is an exit from what is sent.
        times = [float(r["total_ms"]) for r in cell.rows] if cell.statistic == "median" else []
        for i in stats.outliers(times):
            odd.setdefault((cell.scheme, value), []).append(int(cell.rows[i]["image"]))
        said += [f"{cell.scheme} at {value}: {text}" for text in (*complaints(cell), *_unstable(cell, procedure))]
    # The same images are far off at many values of the axis: told once.
    same: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for (scheme, value), images in odd.items():
        same.setdefault((scheme, tuple(images)), []).append(value)
    for (scheme, images_), values in same.items():
        what = stability.outlier_text(images_)
        said.append(f"{scheme}: latency of {what} is far from the others' at {', '.join(values)} (kept)")
    said += [f"no energy of {why} ({n} samples)" for why, n in _reasons(rows).items()]
    repeated: dict[str, list[str]] = {}
    for cell in found:
        wanted = axis.shared_chance and any(r.get("loss") for r in cell.rows)
        if (hits := cell.hits()) is not None and (wanted or cell.repeated_share()):
            repeated.setdefault(cell.scheme, []).append(f"{hits} of {len(cell.rows)} at {axis.show(cell.value)}")
    exact = any(cell.exact for cell in found)
    rests = "" if exact or not axis.shared_chance else " (the mean rests on these few)"
    said += [f"{scheme}: samples that a loss hit: {', '.join(v)}{rests}" for scheme, v in repeated.items()]
    retried = sum(int(r.get("retries") or 0) for r in rows)
    if retried:
        said.append(f"{retried} requests to the device had to be repeated")
    return said


def _unstable(cell: Cell, procedure: Procedure | None) -> list[str]:
    """Return complaints only of times that were measured: an emulated board's differ by picture alone."""
    if cell.source("total_ms") != "measured":
        return []
    taken = sorted(cell.rows, key=lambda r: int(r["order"]))
    asked = procedure.repeat_until if procedure else None
    return stability.complaints([float(r["total_ms"]) for r in taken], asked_share=asked)


def missed(found: Sequence[Cell], axis: Axis, deadline_ms: float) -> list[str]:
    """Return a line for each scheme and value of which samples miss the deadline."""
    told = [line for line in tail.rows(found, axis.name, deadline_ms) if line.get("missed_share")]
    return [
        f"{line['scheme']} at {axis.show(line['value'])}: {tail.missed_text(line)} miss {deadline_ms:g} ms"
        for line in told
    ]


def _reasons(rows: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Count why energies are null, by stage. Stages that are too short differ in their lengths: those count as one."""
    told = [why for r in rows for why in str(r.get("energy_reason") or "").split("; ") if why]
    return Counter(re.sub(r"[\d.e+-]+ us is shorter", "shorter", why) for why in told)
