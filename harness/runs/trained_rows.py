"""Keeps rows of the training sweeps: columns, files, and finding what was trained before."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir
from harness.runs.store import csv_text

log = logging.getLogger(__name__)

_TEXTS = (
    "dataset", "profile", "axis", "value", "method", "ordering", "recipe_hash", "source", "channels", "shaping",
)  # fmt: skip
_WHOLE = ("k", "centroids", "seed", "n_validation", "n_test", "n_attention", "epochs", "samples", "cycles", "macs")
RATES = {"total_270k_ms": 270e3, "total_2m_ms": 2e6, "total_6m_ms": 6e6}  # columns; the paper's Fig 23
AT_RUN_TIME = " at run time"  # ends the value of a row whose setting was not trained but laid over trained weights
_SETTING = (
    "profile", "axis", "value", "k", "rho", "lambda", "temperature", "centroids", "method", "ordering", "seed",
)  # fmt: skip
COLUMNS = (
    "dataset",
    "profile",
    "axis",
    "value",
    "k",
    "rho",
    "lambda",
    "temperature",
    "centroids",
    "method",
    "ordering",
    "seed",
    "n_validation",
    "n_test",
    "accuracy",
    "local_accuracy",
    "remote_accuracy",
    "skewness",
    "violations",
    "alpha",
    "payload_bytes_mean",
    "payload_bytes_p95",
    "epochs",
    "samples",
    "wall_s",
    "recipe_hash",
    "source",
    "validation_accuracy",
    "n_attention",
    "train_s",
    "compression",
    "share_sent",
    "cycles",
    "macs",
    "local_ms",
    "total_270k_ms",
    "total_2m_ms",
    "total_6m_ms",
    "time_source",
    "train_flop",
    "train_cpu_s",
    "channels",
    "shaping",
    "bytes_lzw",
    "bytes_context",
)
_CALLED = {"train_flop": "flop", "train_cpu_s": "cpu_s"}  # what rows of earlier versions call these columns

Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    """Read rows of a CSV file as `write` left it; empty cells are None.

    Raises:
        BenchError: the file is damaged.
    """
    rows = reading.csv_of(path, "restore it, or move it away")
    try:
        return [_typed(row) for row in rows]
    except (ValueError, KeyError) as e:
        raise BenchError(
            f"{path} can't be read as rows of a training sweep ({e})", cure="restore it, or move it away"
        ) from e


def _typed(cells: dict[str, str]) -> Row:
    row: Row = dict.fromkeys(COLUMNS)
    for name in COLUMNS:
        text = cells.get(name) or cells.get(_CALLED.get(name, "")) or ""
        if not text:
            continue
        if name in _TEXTS or name == "time_source":
            row[name] = text
        else:
            number = float(text)
            if not math.isfinite(number):
                raise ValueError(f"{name} is {text}")
            row[name] = int(number) if name in _WHOLE else number
    if not row["axis"] or row["value"] is None or not row["recipe_hash"]:
        raise KeyError("axis, value or recipe_hash")
    return row


def merged(old: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """Return old and new rows, a new one in place of an old one of the same setting, also where another recipe
    made it.
    """

    def key(row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in _SETTING)

    by = {key(row): row for row in old}
    by.update({key(row): row for row in new})
    return list(by.values())


def text(rows: Iterable[Row]) -> str:
    """Return rows as CSV."""
    return csv_text(COLUMNS, rows)


def _cache(recipe_hash: str) -> Path:
    return cache_dir() / "training" / "rows" / f"{recipe_hash}.json"


def keep(row: Row) -> None:
    """Keep a finished training's row, whatever becomes of this run."""
    path = _cache(str(row["recipe_hash"]))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.write_text(json.dumps(row), encoding="utf-8")
        part.replace(path)
    except OSError as e:
        raise BenchError(f"{path} can't be written ({e.strerror})", cure="set AGILENN_CACHE_DIR") from e


def find(recipe_hash: str, folders: Iterable[Path], needs: Iterable[str] = ()) -> Row | None:
    """Return the row of a training that was finished before: from the cache, or from CSV files in `folders`.

    A row that lacks one of the columns `needs`, as an earlier version left it, does not count.
    """
    path = _cache(recipe_hash)
    if path.exists():
        try:
            found: Row = reading.json_of(path, "trained anew")
            row = {name: found.get(name, found.get(_CALLED.get(name, ""))) for name in COLUMNS}
            if all(row[name] is not None for name in needs):
                return row
        except (BenchError, TypeError):
            log.warning("%s is damaged: trained anew", path)
    for folder in folders:
        for file in sorted(folder.glob("*.csv")):
            for row in read(file):
                if row["recipe_hash"] == recipe_hash and all(row[name] is not None for name in needs):
                    return row
    return None
