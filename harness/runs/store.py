"""Keeps the folder of one run: manifest, journal, samples, tables, plots. A stop at any time loses nothing.

run = Store.reopen(Path("results/runs/20260101-120000-bandwidth"))
run.facts().schemes["agilenn"].weights      # the manifest, typed
run.rows()                                  # every sample as a dict, checked, in planned order
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.contracts.errors import BenchError
from harness.runs import journal, manifest, parquet, samples_csv
from harness.runs.manifest import MANIFEST, Manifest
from harness.runs.sample import COLUMNS, checked

SAMPLES = "samples.csv"
PARQUET = "samples.parquet"
_PROBE = ".writable"


class Store:
    """Holds one run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path) -> Store:
        """Make the folder, which must be new or empty.

        Raises:
            BenchError: it can't be made or written, or holds something.
        """
        cls.check_new(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / _PROBE
            probe.touch()
            probe.unlink()
        except OSError as e:
            raise BenchError(
                f"output folder {folder} can't be written ({e.strerror})", cure="give another one by --out"
            ) from e
        return cls(folder)

    @classmethod
    def check_new(cls, folder: Path) -> None:
        """Check that a run could go there, as far as can be told without making anything.

        Raises:
            BenchError: it could not.
        """
        there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        try:
            if not there.is_dir():
                raise BenchError(
                    f"output folder {folder} can't be written ({there} is a file)", cure="give another one"
                )
            if there == folder.absolute() and any(not _left_by_a_kill(path.name) for path in folder.iterdir()):
                raise BenchError(f"{folder} is not empty", cure="give a new folder by --out, or go on with --resume")
            if not os.access(there, os.W_OK | os.X_OK):
                raise BenchError(f"output folder {folder} can't be written", cure="give another one by --out")
        except OSError as e:
            raise BenchError(f"output folder {folder} can't be used ({e.strerror})", cure="give another one") from e

    @classmethod
    def reopen(cls, folder: Path) -> Store:
        """Open an earlier run's folder.

        Raises:
            BenchError: there is no run.
        """
        if not (folder / MANIFEST).is_file():
            raise BenchError(f"{folder} holds no run ({MANIFEST} is missing)", cure="give the folder of a run")
        return cls(folder)

    def write_manifest(self, told: Mapping[str, Any]) -> None:
        """Replace the manifest as a whole.

        Raises:
            BenchError: it is not as `harness.runs.manifest` has it, or can't be written.
        """
        self._replace(MANIFEST, manifest.text(told, str(self.folder / MANIFEST)).encode())

    def facts(self) -> Manifest:
        """Read the manifest.

        Raises:
            BenchError: unreadable, damaged, or of a version this bench does not know.
        """
        return manifest.read(self.folder)

    def manifest(self) -> dict[str, Any]:
        """Return the manifest of `facts`, as it stands in the file."""
        return self.facts().model_dump(mode="json", exclude={"checksum"})

    def rows(self) -> list[dict[str, Any]]:
        """Return all samples, in planned order: from the journal, or where there is none from samples.parquet, or from
        samples.csv where Parquet can't be read.

        Raises:
            BenchError: unreadable, damaged, or samples of a newer bench.
        """
        return sorted(self.rows_by_key().values(), key=lambda r: int(r["order"]))

    def rows_by_key(self) -> dict[str, dict[str, Any]]:
        """Return the samples of `rows`, by the key of each. Raises as `rows`."""
        path = self.folder / journal.NAME
        if not path.exists() and (kept := self._kept()) is not None:
            return {key_of(row): row for row in kept}
        rows = {}
        for key, row in journal.read(self.folder).items():
            try:
                rows[key] = checked(row)
            except ValueError as e:
                raise BenchError(
                    f"{path} holds something else than samples of this bench ({e})",
                    cure="restore it, or use the bench that wrote it; nothing was overwritten",
                ) from e
        return rows

    def write_samples(self) -> list[Path]:
        """Write samples.csv and, where pyarrow is installed, samples.parquet from the journal."""
        rows = self.rows()
        written = [self._replace(SAMPLES, csv_text(COLUMNS, rows).encode())]
        return [*written, self._replace(PARQUET, parquet.encoded(rows))] if parquet.available() else written

    def _kept(self) -> list[dict[str, Any]] | None:
        """Return the samples of a run that was handed on without its journal; None where there are none."""
        typed, table = self.folder / PARQUET, self.folder / SAMPLES
        if typed.exists() and (parquet.available() or not table.exists()):
            return parquet.read(typed)
        return samples_csv.read(table) if table.exists() else None

    def write_text(self, name: str, text: str) -> Path:
        """Write any other file, replaced as a whole."""
        return self._replace(name, text.encode())

    def path(self, name: str) -> Path:
        """Return a path inside, with its folder made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _replace(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            part.replace(path)
        except OSError as e:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise BenchError(f"{path} can't be written ({e.strerror})", cure="free space or mend permissions") from e
        return path


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a run folder, of the present version. Raises as `Store.facts`."""
    return Store(folder).manifest()


def key_of(row: Mapping[str, Any]) -> str:
    """Return the key of a sample, as `sample.Planned.key`."""
    return f"{row['point_id']}-{'w' if row['warmup'] else 'm'}{row['image']}"


def csv_text(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as CSV: null as an empty cell, booleans as true/false, floats in full."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return out.getvalue()


def now_text() -> str:
    """Return the time of day in UTC, for people; durations come from a Clock."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _left_by_a_kill(name: str) -> bool:
    """Say whether a run was killed before its manifest was there: then nothing in it is worth keeping."""
    return name in (_PROBE, f".{MANIFEST}.part")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)
