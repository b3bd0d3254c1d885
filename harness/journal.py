"""The append-only journal of a run: one JSON line a sample, on disk before the next sample begins."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from harness.contracts.errors import BenchError

NAME = "journal.jsonl"


class Journal:
    """Appends to `folder/journal.jsonl`, fsync after every line."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        try:
            self._mend()
            self._file = self._path.open("ab")
        except OSError as e:
            raise BenchError(
                f"{self._path} can't be written ({e.strerror})", cure="give another folder by --out"
            ) from e

    def append(self, key: str, row: dict[str, Any]) -> None:
        """Keep one finished sample."""
        self._file.write(json.dumps({"key": key, "row": row}).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _mend(self) -> None:
        """Cut off a last line that a kill left half written, or the next one would be glued to it."""
        if not self._path.exists():
            return
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with self._path.open("r+b") as f:
                f.truncate(whole)
                os.fsync(f.fileno())


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Rows by key, the last of each; a half-written last line is ignored.

    Raises:
        BenchError: unreadable, or damaged before its end.
    """
    path = folder / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as e:
        raise BenchError(f"{path} can't be read ({e.strerror})", cure="check its permissions") from e
    rows: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            entry = json.loads(line)
            rows[entry["key"]] = entry["row"]
        except (ValueError, KeyError, TypeError) as e:
            raise BenchError(f"{path} is damaged in line {number}", cure="restore it, or start a new run") from e
    return rows
