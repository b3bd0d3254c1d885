"""Gathers what a set of figures is drawn from: runs, rows of sweeps that train, histories of trainings, published
values.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.analysis.datum import Datum, RunData, read_run
from harness.analysis.trainings import TrainedRow, history, read_rows
from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)

FULL = "full"  # folder of rows that were trained for the shipped recipe's whole budget; begins their axis' name


@dataclass(frozen=True)
class Material:
    """Holds all that there is; `histories` are by (data set, scheme)."""

    runs: tuple[RunData, ...] = ()
    trained: tuple[TrainedRow, ...] = ()
    histories: dict[tuple[str, str], list[dict[str, float]]] = field(default_factory=dict)

    def run(self, axis: str, dataset: str) -> RunData | None:
        """Return the last run over an axis and a data set."""
        return next((r for r in reversed(self.runs) if (r.axis, r.dataset) == (axis, dataset)), None)

    def rows(self, axis: str, dataset: str) -> list[TrainedRow]:
        """Return the trained rows of an axis and a data set."""
        return [r for r in self.trained if (r.axis, r.dataset) == (axis, dataset)]

    def datasets(self) -> list[str]:
        """Return every data set that something is known of, in order of appearance."""
        names = [r.dataset for r in self.runs] + [r.dataset for r in self.trained] + [d for d, _ in self.histories]
        return list(dict.fromkeys(names))

    def data(self, dataset: str) -> list[Datum]:
        """Return all values of all runs of a data set."""
        return [d for r in self.runs if r.dataset == dataset for d in r.data]


def gather(folders: Sequence[Path], *, rows: Path | None = None, weights: Path | None = None) -> Material:
    """Read run folders (or folders of them), `rows`/*.csv and `rows`/full/*.csv, and
    `weights`/DATASET-PROFILE/SCHEME/history.csv.

    Raises:
        BenchError: a folder that was named holds no run, or something in it is damaged.
    """
    runs = [read_run(folder) for folder in run_folders(folders)]
    trained = [row for path in sorted(rows.glob("*.csv")) for row in read_rows(path)] if rows else []
    in_full = [row for path in sorted(rows.glob(f"{FULL}/*.csv")) for row in read_rows(path)] if rows else []
    trained += [replace(row, axis=f"{FULL}/{row.axis}") for row in in_full]
    histories = {}
    for path in sorted(weights.glob("*/*/history.csv")) if weights else []:
        dataset = path.parent.parent.name.partition("-")[0]
        histories[(dataset, path.parent.name)] = history(path)
    return Material(tuple(runs), tuple(trained), histories)


def run_folders(folders: Sequence[Path]) -> list[Path]:
    """Return each folder that is a run; for one that is not, the runs right inside it.

    Raises:
        BenchError: a folder neither is a run nor holds one.
    """
    found: list[Path] = []
    for folder in folders:
        if (folder / "manifest.json").is_file():
            found.append(folder)
            continue
        inside = sorted(p.parent for p in folder.glob("*/manifest.json"))
        if not inside:
            raise BenchError(f"{folder} holds no run", cure="give the folder of a run, or one that holds runs")
        found += inside
    return found
