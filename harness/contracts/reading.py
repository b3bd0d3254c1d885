"""Reads files that anybody may have touched: damaged, cut short, nested beyond reason, in another encoding or no text.

Whatever is in a file, each of these returns what it holds or raises a BenchError of one line with the cure. What the
values mean is checked by who asked.
"""

from __future__ import annotations

import csv
import io
import json
import struct
import tomllib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from harness.contracts.errors import BenchError

MOST_BYTES = 64 << 20

# What numpy and zipfile raise for bytes that are no such archive.
NO_ARCHIVE = (
    *(OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, SyntaxError),
    *(
        MemoryError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
    ),  # RuntimeError: also too deep, encrypted
)


def data(path: Path, cure: str, *, most_bytes: int = MOST_BYTES) -> bytes:
    """Read the bytes of a file.

    Raises:
        BenchError: it can't be read, or is larger than `most_bytes`.
    """
    try:
        with path.open("rb") as f:
            found = f.read(most_bytes + 1)
    except FileNotFoundError as e:
        raise BenchError(f"{path} does not exist", cure=cure) from e
    except (OSError, ValueError) as e:  # ValueError: a path with a NUL in it
        raise BenchError(f"{path} can't be read ({getattr(e, 'strerror', None) or e})", cure=cure) from e
    if len(found) > most_bytes:
        raise BenchError(f"{path} is larger than {most_bytes:,} bytes", cure=cure)
    return found


def text(path: Path, cure: str, *, encoding: str = "utf-8", most_bytes: int = MOST_BYTES) -> str:
    """Read a text. Raises BenchError as `data`, and where it is in another encoding."""
    try:
        return data(path, cure, most_bytes=most_bytes).decode(encoding)
    except UnicodeDecodeError as e:
        raise BenchError(f"{path} is no {encoding.upper()} text (byte {e.start})", cure=cure) from e


def parsed_json(said: str | bytes) -> Any:
    """Parse JSON (RFC 8259, so without NaN and Infinity). Raises ValueError for anything else."""
    try:
        return json.loads(said, parse_constant=_no_number)
    except RecursionError as e:
        raise ValueError("it is nested too deeply") from e


def parsed_toml(said: str) -> dict[str, Any]:
    """Parse TOML. Raises ValueError for anything else; tomllib itself has more ways to fail."""
    try:
        return tomllib.loads(said)
    except RecursionError as e:
        raise ValueError("it is nested too deeply") from e


def json_of(path: Path, cure: str) -> Any:
    """Read a JSON file. Raises BenchError."""
    said = text(path, cure)
    try:
        return parsed_json(said)
    except ValueError as e:
        raise BenchError(f"{path} is no JSON ({_short(e)})", cure=cure) from e


def toml_of(path: Path, cure: str) -> dict[str, Any]:
    """Read a TOML file. Raises BenchError."""
    said = text(path, cure)
    try:
        return parsed_toml(said)
    except ValueError as e:
        raise BenchError(f"{path} is not valid TOML ({_short(e)})", cure=cure) from e


def csv_of(path: Path, cure: str, columns: Sequence[str] = ()) -> list[dict[str, str]]:
    """Read a CSV file with a line of names as rows by name. A cell that is not there is "", one without a name is left
    out. Raises BenchError, also where the line of names lacks one of `columns`.
    """
    said = text(path, cure)
    try:
        reader = csv.DictReader(io.StringIO(said, newline=""), restval="")
        names, rows = reader.fieldnames or (), list(reader)
    except (csv.Error, ValueError) as e:
        raise BenchError(f"{path} is no CSV ({_short(e)})", cure=cure) from e
    for name in columns:
        if name not in names:
            raise BenchError(f"{path} lacks the column {name}", cure=cure)
    return [{name: cell for name, cell in row.items() if name is not None} for row in rows]


def npz_of(path: Path, cure: str) -> dict[str, np.ndarray[Any, Any]]:
    """Read the arrays of a NumPy archive by name; nothing in it is run. Raises BenchError."""
    try:
        with np.load(path, allow_pickle=False) as z:
            return {name: z[name] for name in z.files}
    except NO_ARCHIVE as e:
        raise BenchError(f"{path} is missing or no NumPy archive ({_short(e)})", cure=cure) from e


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _no_number(said: str) -> NoReturn:
    raise ValueError(f"{said} is no number")
