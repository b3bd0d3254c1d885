"""Reads the paper's numbers: `results/published/*.csv`, one row a value, each with its figure and how it was read."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from harness.contracts.errors import BenchError

_FOLDER = Path(__file__).resolve().parents[2] / "results" / "published"
_LIKE = "cifar100"  # pictures of 32 x 32, as CIFAR-10's


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


def load(figure: str, folder: Path = _FOLDER) -> list[Value]:
    """Return the values of a figure, as `fig23`.

    Raises:
        BenchError: there is no such file, or a row in it is wrong.
    """
    path = folder / f"{figure}.csv"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.csv"))) or "none here"
        raise BenchError(f"no published values for '{figure}' in {folder}", cure=f"choose from {known}")
    values = []
    with path.open(encoding="utf-8", newline="") as f:
        for number, row in enumerate(csv.DictReader(f), start=2):
            try:
                x = float(row.pop("x") or "nan")
                values.append(Value(x=x, value=float(row.pop("value")), **row))
            except (ValueError, TypeError, KeyError) as e:
                raise BenchError(f"{path} line {number} is wrong ({e})", cure="restore the file") from e
    return values


def exists(figure: str, folder: Path = _FOLDER) -> bool:
    """Say whether there are values of this figure."""
    return (folder / f"{figure}.csv").is_file()


def bandwidth(dataset: str, folder: Path = _FOLDER) -> list[Value]:
    """Return Fig 23's latency against the rate for a data set; for one that it lacks, Fig 16's totals at 6 Mbit/s."""
    own = [v for v in load("fig23", folder) if v.dataset == dataset]
    if own:
        return own
    return [v for v in load("fig16", folder) if v.dataset == dataset and v.metric == "total_ms"]


def nearest(figure: str, dataset: str, folder: Path = _FOLDER) -> list[Value]:
    """Return a figure's values for a data set; for one that it lacks, CIFAR-100's, whose titles then say so."""
    found = load(figure, folder)
    if own := [v for v in found if v.dataset == dataset]:
        return own
    return [replace(v, title=f"{v.title}, CIFAR-100") for v in found if v.dataset == _LIKE]
