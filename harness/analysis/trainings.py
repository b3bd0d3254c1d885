"""Reads rows of sweeps that train (`results/reference/training/`) and histories of trainings, as figures want them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.datum import Datum
from harness.contracts import reading

MEASURED = "measured"  # accuracies and shares of importance are counted, on whatever hardware
_MOST_BYTES = 8_000_000


@dataclass(frozen=True)
class TrainedRow:
    """Holds one trained point: the axis, its value as text, and every column of its row."""

    axis: str
    value: str
    dataset: str
    columns: dict[str, str]

    def number(self, column: str) -> float | None:
        """Return a column as a number; None where it is empty, missing or no number."""
        try:
            number = float(self.columns.get(column) or "nan")
        except ValueError:
            return None
        return None if math.isnan(number) else number


def read_rows(path: Path) -> list[TrainedRow]:
    """Read the rows of one CSV file.

    Raises:
        BenchError: it can't be read, or lacks one of the columns axis, value, dataset.
    """
    rows = [
        TrainedRow(r["axis"], r["value"], r["dataset"], r)
        for r in _table(path, ("axis", "value", "dataset"))
    ]  # fmt: skip
    return rows


def history(path: Path) -> list[dict[str, float]]:
    """Read `history.csv` of a training: a row an epoch, numbers only.

    Raises:
        BenchError: it can't be read.
    """
    found = []
    for row in _table(path, ("epoch",)):
        numbers = {}
        for name, text in row.items():
            try:
                numbers[name] = float(text)
            except (TypeError, ValueError):
                continue
        found.append(numbers)
    return found


def _table(path: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    return reading.csv_of(path, "restore the file, or run the sweep again", wanted)


def as_data(
    rows: Sequence[TrainedRow], column: str, *, metric: str, factor: float = 1.0, title: str, x_column: str = "value"
) -> list[Datum]:
    """Return a column of the rows as values over `x_column`; the mean over seeds where a value was trained several
    times.
    """
    groups: dict[tuple[str, str], list[tuple[TrainedRow, float]]] = {}
    for row in rows:
        number = row.number(column)
        if number is not None:
            groups.setdefault((row.dataset, row.value), []).append((row, number * factor))
    found = []
    for (dataset, value), own in groups.items():
        mean = sum(number for _, number in own) / len(own)
        low, high = (min(n for _, n in own), max(n for _, n in own)) if len(own) > 1 else (None, None)
        x = own[0][0].number(x_column)
        place = math.nan if x is None else x
        found.append(
            Datum(dataset, "agilenn", title, metric, "%", own[0][0].axis, place, mean, MEASURED, low, high, len(own),
                  testbed=value if x is None else "")
        )  # fmt: skip
    return found
