"""Writes what a training sweep ends with: rows, table, recipe and plot in files, the table on the screen."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.analysis import shaping
from harness.host import cli
from harness.report import training_tables as show
from harness.runs import trained_rows as rows
from harness.runs.store import Store
from harness.runs.trained_rows import Row
from harness.show.figures import of_shaping
from harness.training.sweep.axes import Published
from harness.training.sweep.points import Base


@dataclass(frozen=True)
class Outcome:
    """Holds what a sweep found: rows in order, the columns to show, the paper's figures and what they are of, a
    note.
    """

    rows: list[Row]
    columns: tuple[str, ...]
    title: str
    axis_title: str
    note: str
    published: Published
    paper: str = ""
    marked: str = ""  # a row that stands out in the plot against latency
    beside: tuple[Row, ...] = ()  # the paper's rows where its axis is another than ours: shown below, not written


def write_rows(name: str, options: argparse.Namespace, found: Sequence[Row]) -> Path:
    """Write the rows so far into the sweep's CSV, beside those of other settings that are there."""
    file = f"{name}-{options.dataset}.csv"
    path: Path = options.out / file
    old = rows.read(path) if path.exists() else []
    return Store(options.out).write_text(file, rows.text(rows.merged(old, found)))


def write(name: str, options: argparse.Namespace, found: Outcome, base: Base | None) -> None:
    """Write everything and show the table; `base`: what the points started from, for the recipe beside the rows."""
    from harness.contracts import tomlout  # noqa: PLC0415

    stem = f"{name}-{options.dataset}"
    store = Store(options.out)
    shown = show.over_seeds(found.rows) if name == shaping.AXIS else found.rows
    header, lines = show.table([*shown, *found.beside], found.columns, found.published, found.paper)
    written = [
        write_rows(name, options, found.rows),
        store.write_text(f"{stem}.md", show.markdown(found.title, found.note, header, lines)),
    ]
    if base is not None:
        from baselines.recipes.hashing import as_tree  # noqa: PLC0415

        written.append(store.write_text(f"{stem}.recipe.toml", tomlout.dumps(as_tree(base.recipe()))))
    if name == shaping.AXIS:
        written += of_shaping.page(found.rows, store.path(stem), note=found.note)
    elif name in ("exit", "pareto"):
        written += show.against_latency(
            found.rows,
            marked=found.marked,
            label=f"threshold {found.marked}, chosen on validation" if name == "exit" else "published configuration",
            joined=name == "exit",
            note=found.note,
            out=store.path(stem),
        )
    else:
        written += show.plot(
            found.rows,
            found.columns,
            found.published,
            axis_title=found.axis_title,
            note=found.note,
            out=store.path(stem),
        )
    out = cli.console()
    show.on_screen(out, found.title, found.note, header, lines)
    for path in written:
        out.print(str(path), soft_wrap=True)
