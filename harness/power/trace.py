"""Keeps traces on disk: Parquet (small, exact) and CSV (for the eye and other tools), both with units and
sample clock.
"""

from __future__ import annotations

import csv
import json
import math
import warnings
from pathlib import Path
from typing import Any, get_args

import numpy as np

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.probe import UNITS, Source, Trace
from harness.runs import parquet

FORMAT = "agilenn-bench power trace 1"
_MAX_HEADER = 64 * 1024
_COLUMNS = {"current_a": "current", "voltage_v": "voltage", "energy_uj": "energy", "markers": "markers"}


def write_trace(trace: Trace, path: Path) -> None:
    """Write `trace` as `.parquet` or `.csv`, by the ending of `path`.

    Raises:
        BenchError: another ending, or the file can't be written.
    """
    columns: dict[str, Any] = {name: getattr(trace, name) for name in _COLUMNS if getattr(trace, name) is not None}
    columns["lost"] = trace.lost if trace.lost is not None else np.zeros(len(trace), dtype=np.bool_)
    header = _header(trace)
    try:
        if path.suffix == ".parquet":
            _need_parquet(path)
            import pyarrow as pa  # noqa: PLC0415 - slow to import
            import pyarrow.parquet as pq  # noqa: PLC0415

            table = pa.table(columns).replace_schema_metadata({"trace": json.dumps(header)})
            pq.write_table(table, path, compression="zstd")
        elif path.suffix == ".csv":
            _write_csv(columns, header, path)
        else:
            raise BenchError(f"{path}: a trace is .parquet or .csv", cure="give one of these endings")
    except OSError as e:
        raise BenchError(f"{path} can't be written ({e.strerror})", cure="check the folder and its space") from e


def read_trace(path: Path) -> Trace:
    """Read what `write_trace` wrote.

    Raises:
        BenchError: no such file, or not one of ours, naming what is wrong.
    """
    try:
        columns, header = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except OSError as e:
        raise BenchError(f"{path} can't be read ({e.strerror or e})", cure="check the path") from e
    except (ValueError, KeyError, TypeError, OverflowError, UnicodeDecodeError) as e:
        raise BenchError(f"{path} is no power trace of this bench ({e})", cure="record it again") from e
    try:
        return _trace(columns, header)
    except (ValueError, KeyError, TypeError, OverflowError) as e:
        raise BenchError(f"{path} is no power trace of this bench ({e})", cure="record it again") from e


def _header(trace: Trace) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "rate_hz": trace.rate_hz,
        "start_s": trace.start_s,
        "source": trace.source,
        "probe": trace.probe,
        "rail": trace.rail,
        "info": dict(trace.info),
        "units": {name: UNITS[channel] for name, channel in _COLUMNS.items()},
    }


def _trace(columns: dict[str, np.ndarray[Any, Any]], header: dict[str, Any]) -> Trace:
    if header.get("format") != FORMAT:
        raise ValueError(f"its format is {str(header.get('format'))[:40]!r}, not {FORMAT!r}")
    if header["source"] not in get_args(Source):
        raise ValueError(f"unknown source {str(header['source'])[:20]!r}")
    rate_hz, start_s = float(header["rate_hz"]), float(header["start_s"])
    if not (math.isfinite(rate_hz) and math.isfinite(start_s)):
        raise ValueError("its sample clock is not finite")

    def floats(name: str) -> np.ndarray[Any, np.dtype[np.float64]] | None:
        return columns[name].astype(np.float64) if name in columns else None

    return Trace(
        rate_hz=rate_hz,
        source=header["source"],
        probe=str(header["probe"]),
        rail=str(header["rail"]),
        current_a=floats("current_a"),
        voltage_v=floats("voltage_v"),
        energy_uj=floats("energy_uj"),
        markers=columns["markers"].astype(np.uint8) if "markers" in columns else None,
        lost=columns["lost"].astype(np.bool_),
        start_s=start_s,
        info={str(k): str(v) for k, v in dict(header["info"]).items()},
    )


def _need_parquet(path: Path) -> None:
    if not parquet.available():
        raise BenchError(f"{path} needs pyarrow, which is not installed", cure=f"give .csv, or {parquet.ABSENT}")


def _read_parquet(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    _need_parquet(path)
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(path)
    except pa.ArrowException as e:
        raise ValueError(str(e).splitlines()[0][:120]) from e
    metadata = table.schema.metadata or {}
    if b"trace" not in metadata:
        raise ValueError("no header")
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    header = reading.parsed_json(metadata[b"trace"])
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    return columns, header


def _write_csv(columns: dict[str, Any], header: dict[str, Any], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as f:
        f.write("# " + json.dumps(header) + "\n")
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(columns)
        # tolist() gives Python's numbers, whose shortest text reads back as the same number.
        values = [np.asarray(column, int if name == "lost" else None).tolist() for name, column in columns.items()]
        writer.writerows(zip(*values, strict=True))


def _read_csv(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    with path.open(encoding="utf-8") as f:
        first = f.readline(_MAX_HEADER)
        if not first.startswith("# {") or not first.endswith("\n"):
            raise ValueError("its first line is no header")
        header = reading.parsed_json(first[2:])
        names = f.readline(_MAX_HEADER).strip().split(",")
        if unknown := [name for name in names if name not in (*_COLUMNS, "lost")]:
            raise ValueError(f"unknown column {unknown[0][:40]!r}")
        if len(set(names)) < len(names):
            raise ValueError("it has a column twice")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a trace without samples, which is judged elsewhere
            table = np.loadtxt(f, np.float64, delimiter=",", comments=None, ndmin=2)
    table = table.reshape(-1, len(names)) if table.size else np.empty((0, len(names)))
    columns = {name: table[:, i] for i, name in enumerate(names)}
    for name in ("markers", "lost"):
        if name in columns and not bool(((columns[name] >= 0) & (columns[name] <= 255)).all()):
            raise ValueError(f"column {name} is out of range")
    return columns, header
