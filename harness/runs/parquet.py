"""Writes and reads samples.parquet: typed columns with units in their metadata; any reader of Parquet opens it without
this code.

pandas.read_parquet("samples.parquet")
pyarrow.parquet.read_schema("samples.parquet").field("total_ms").metadata    # {b"unit": b"ms"}
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.contracts.errors import BenchError
from harness.runs.sample import BY_NAME, SCHEMA_VERSION, checked

if TYPE_CHECKING:
    import pyarrow

_MOST_BYTES = 2 << 30
_CURE = "restore it, or make it anew from the journal (python -m harness.sweep … --resume DIR)"
ABSENT = "pip install 'agilenn-bench[tables]', which has pyarrow"


def available() -> bool:
    """Say whether pyarrow is installed. A small installation has none, and samples.csv holds the same."""
    return importlib.util.find_spec("pyarrow") is not None


def schema() -> pyarrow.Schema:
    """Return the schema: int64, double, bool and string, with `unit` in a column's metadata where it has one."""
    import pyarrow as pa  # noqa: PLC0415 - half a second that --help need not wait for

    types = {"whole": pa.int64(), "real": pa.float64(), "flag": pa.bool_(), "text": pa.string()}
    fields = [
        pa.field(
            column.name,
            types[column.kind],
            nullable=not column.needed,
            metadata={"unit": column.unit} if column.unit else None,
        )
        for column in BY_NAME.values()
    ]
    return pa.schema(fields, metadata={"schema_version": str(SCHEMA_VERSION), "title": "samples of the AgileNN bench"})


def encoded(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the file's bytes: the same for the same rows and the same pyarrow."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema())
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", write_page_checksum=True)
    return out.getvalue()


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of samples.parquet, checked.

    Raises:
        BenchError: missing, cut short, damaged, or not a file of samples; or pyarrow is not installed.
    """
    if not available():
        raise BenchError(f"{path} can't be read without pyarrow", cure=ABSENT)
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BenchError(f"{path} is too large to be a file of samples", cure=_CURE)
        data = path.read_bytes()
    except OSError as e:
        raise BenchError(f"{path} can't be read ({e.strerror})", cure="check the path and its permissions") from e
    try:
        table = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()
        found: list[Any] = table.to_pylist()
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as e:
        why = " ".join(str(e).split())[:80]
        raise BenchError(f"{path} is damaged or cut short ({why})", cure=_CURE) from e
    try:
        return [checked(row) for row in found]
    except ValueError as e:
        raise BenchError(f"{path} holds no samples of this bench ({e})", cure="use the bench that wrote it") from e
