"""Reads the paper's numbers: `results/published/*.csv`, one row a value, each with its figure and how it was read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.runs.paths import PUBLISHED


@dataclass(frozen=True)
class Value:
    """Holds one published value; `x` is that of the figure's axis, nan where it has none."""

    figure: str
    dataset: str
    scheme: str
    title: str
    metric: str
    unit: str
    x: float
    x_unit: str
    value: float
    how_read: str
    source: str


def load(figure: str, folder: Path = PUBLISHED) -> list[Value]:
    """Return the values of a figure, as `fig23`.

    Raises:
        BenchError: there is no such file, or a row in it is wrong.
    """
    path = folder / f"{figure}.csv"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.csv"))) or "none here"
        raise BenchError(f"no published values for '{figure}' in {folder}", cure=f"choose from {known}")
    values = []
    for number, row in enumerate(reading.csv_of(path, "restore the file"), start=2):
        try:
            x = float(row.pop("x") or "nan")
            values.append(Value(x=x, value=float(row.pop("value")), **row))
        except (ValueError, TypeError, KeyError) as e:
            raise BenchError(f"{path} line {number} is wrong ({e})", cure="restore the file") from e
    return values


def exists(figure: str, folder: Path = PUBLISHED) -> bool:
    """Say whether there are values of this figure."""
    return (folder / f"{figure}.csv").is_file()


def beside(figure: str, dataset: str, folder: Path = PUBLISHED) -> list[Value]:
    """Return what may stand beside a run: the figure's values of the run's own data set, none of another's.

    This is the one rule for tables, plots, reports, comparisons and training sweeps. What another data set gave lies on
    another axis: its accuracies, bytes and times are not those that ours could be held against.
    """
    return [v for v in load(figure, folder) if v.dataset == dataset] if exists(figure, folder) else []


def bandwidth(dataset: str, folder: Path = PUBLISHED) -> list[Value]:
    """Return Fig 23's latency against the rate, and Fig 16's totals at 6 Mbit/s where Fig 23 lacks the data set."""
    own = beside("fig23", dataset, folder)
    return own or [v for v in beside("fig16", dataset, folder) if v.metric == "total_ms"]
