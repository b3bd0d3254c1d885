"""Computes mean and spread over trainings that differ in their seed alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.contracts import reading
from harness.runs.store import csv_text

# Figure of summary.toml -> text; shares, shown in percent.
FIGURES = {
    "test_int8.combined": "test, int8",
    "test_int8.local": "test, local alone",
    "test_int8.remote": "test, remote alone",
    "validation_int8.combined": "validation, int8",
    "validation_float.combined_at_alpha": "validation, float",
    "test_attention.skewness": "skewness, test",
    "test_attention.violations": "out of order, test",
}
COLUMNS = ("figure", "n", "mean", "sd", "least", "most")


def read_summary(folder: Path) -> dict[str, Any]:
    """Read `summary.toml` of a trained scheme.

    Raises:
        BenchError: it is missing or damaged.
    """
    return reading.toml_of(folder / "summary.toml", "train again")


def _value(summary: Mapping[str, Any], name: str) -> float | None:
    section, key = name.split(".")
    value = summary.get(section, {}).get(key)
    return float(value) if value is not None else None


def spread(summaries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row a figure that every summary has: n, mean, standard deviation of the sample (null for one),
    extremes.
    """
    rows = []
    for name in FIGURES:
        values = [value for summary in summaries if (value := _value(summary, name)) is not None]
        if not values or len(values) < len(summaries):
            continue
        sd = statistics.stdev(values) if len(values) > 1 else None
        row = {"figure": name, "n": len(values), "mean": statistics.fmean(values), "sd": sd}
        rows.append(row | {"least": min(values), "most": max(values)})
    return rows


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as seeds.csv has them."""
    return csv_text(COLUMNS, rows)


def as_text(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the rows as people read them, in percent."""
    lines = []
    for row in rows:
        sd = "–" if row["sd"] is None else f"{100 * row['sd']:.2f}"
        shown = [f"{100 * row[key]:.2f}" for key in ("mean", "least", "most")]
        lines.append([FIGURES[str(row["figure"])], str(row["n"]), shown[0], sd, shown[1], shown[2]])
    return lines
