"""Keeps the append-only journal of a run: one JSON line a sample, on disk before the next sample begins.

{"crc": "8 hex digits", "key": "<point_id>-m<image>", "row": {…}}

The CRC-32 is that of the line without it. A kill may leave the last line half written: it is dropped, and cut off
before the next one is appended. Damage anywhere else is an error; nothing is guessed, and nothing overwritten.
"""

from __future__ import annotations

import json
import os
import threading
import zlib
from pathlib import Path
from typing import Any, NoReturn

from harness.contracts.errors import BenchError

NAME = "journal.jsonl"

_MOST_LINE = 1 << 20  # bytes of one line: a sample has some 2,000
_MOST_BYTES = 2 << 30


class Journal:
    """Appends to `folder/journal.jsonl`, with an fsync after every line. Several threads may use it.

    Raises:
        BenchError: the file can't be written, or it is damaged: then it is left as it is.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._lock = threading.Lock()
        read(folder)  # before a byte of it is touched
        try:
            new = not self._path.exists()
            self._mend()
            self._file = self._path.open("ab")
            if new:
                _sync_folder(folder)  # or a power cut could take the name with it
        except OSError as e:
            raise BenchError(
                f"{self._path} can't be written ({e.strerror})", cure="give another folder by --out"
            ) from e

    def append(self, key: str, row: dict[str, Any]) -> None:
        """Keep one finished sample; it is on disk when this returns.

        Raises:
            BenchError: the disk is full or gone. What was kept before is whole.
        """
        line = json.dumps({"crc": _crc(key, row), "key": key, "row": row}, allow_nan=False).encode() + b"\n"
        with self._lock:
            try:
                self._file.write(line)
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as e:
                raise BenchError(f"{self._path} can't be written ({e.strerror})", cure="free space") from e

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            try:
                self._file.close()
            except OSError as e:  # a buffered rest of what append has told already
                raise BenchError(f"{self._path} can't be written ({e.strerror})", cure="free space") from e

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
    """Return the rows by key, the last of each; a half-written last line is ignored.

    Raises:
        BenchError: unreadable, or damaged before its end.
    """
    path = folder / NAME
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BenchError(f"{path} is too large to be a journal", cure="restore it, or start a new run")
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as e:
        raise BenchError(f"{path} can't be read ({e.strerror})", cure="check its permissions") from e
    rows: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].split(b"\n")[:-1], start=1):
        try:
            key, row = _entry(line)
        except (ValueError, RecursionError) as e:
            raise BenchError(
                f"{path} is damaged in line {number} ({' '.join(str(e).split())[:120]})",
                cure="restore it from a copy, or start a new run; nothing was overwritten",
            ) from e
        rows[key] = row
    return rows


def _entry(line: bytes) -> tuple[str, dict[str, Any]]:
    """Return key and row of a line. Raises ValueError or RecursionError for anything else."""
    if len(line) > _MOST_LINE:
        raise ValueError("the line is too long")
    entry = json.loads(line.decode("utf-8"), parse_constant=_no_number)
    if not isinstance(entry, dict) or not isinstance(entry.get("key"), str) or not isinstance(entry.get("row"), dict):
        raise ValueError("no key with a row")
    key: str = entry["key"]
    row: dict[str, Any] = entry["row"]
    crc = entry.get("crc")  # journals of version 0.1 have none
    if crc is not None and crc != _crc(key, row):
        raise ValueError("its CRC is wrong")
    return key, row


def _crc(key: str, row: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps([key, row]).encode()):08x}"


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
