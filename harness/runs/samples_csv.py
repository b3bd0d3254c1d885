"""Reads samples.csv back: every cell by its column's type, so that a run can be read where Parquet can't."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.runs.columns import Column
from harness.runs.sample import BY_NAME, checked

_MOST_BYTES = 1 << 30
_CURE = "restore it, or make it anew from the journal (python -m harness.sweep … --resume DIR)"
_FLAGS = {"true": True, "false": False}


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of samples.csv, checked; an empty cell is null.

    Raises:
        BenchError: missing, cut short, damaged, or not a file of samples.
    """
    lines = csv.reader(io.StringIO(reading.text(path, _CURE, most_bytes=_MOST_BYTES), newline=""), strict=True)
    try:
        names = next(lines, [])
        if strange := [name for name in names if name not in BY_NAME]:
            raise ValueError(f"unknown column '{strange[0][:40]}'")
        columns = [BY_NAME[name] for name in names]
        return [checked(_row(columns, cells)) for cells in lines]
    except (ValueError, csv.Error) as e:
        raise BenchError(f"{path} holds no samples of this bench ({e})", cure=_CURE) from e


def _row(columns: list[Column], cells: list[str]) -> dict[str, Any]:
    if len(cells) != len(columns):
        raise ValueError(f"a line has {len(cells)} cells, the head {len(columns)}")
    return {column.name: _value(column, cell) for column, cell in zip(columns, cells, strict=True)}


def _value(column: Column, cell: str) -> Any:
    if cell == "":
        return None
    match column.kind:
        case "whole":
            return int(cell)
        case "real":
            return float(cell)
        case "flag":
            if cell not in _FLAGS:
                raise ValueError(f"'{column.name}' is neither true nor false (got {cell[:30]!r})")
            return _FLAGS[cell]
        case "text":
            return cell
