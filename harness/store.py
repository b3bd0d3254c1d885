"""The folder of one run: manifest, journal, samples, tables, plots. A stop at any time loses nothing."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import journal
from harness.contracts.errors import BenchError
from harness.sample import COLUMNS

MANIFEST = "manifest.json"
SAMPLES = "samples.csv"
MANIFEST_VERSION = 1


class Store:
    """One run's folder."""

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
            probe = folder / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as e:
            raise BenchError(
                f"output folder {folder} can't be written ({e.strerror})", cure="give another one by --out"
            ) from e
        return cls(folder)

    @classmethod
    def check_new(cls, folder: Path) -> None:
        """Could a run go there, as far as can be told without making anything?

        Raises:
            BenchError: no.
        """
        there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        try:
            if not there.is_dir():
                raise BenchError(
                    f"output folder {folder} can't be written ({there} is a file)", cure="give another one"
                )
            if there == folder.absolute() and any(folder.iterdir()):
                raise BenchError(f"{folder} is not empty", cure="give a new folder by --out, or go on with --resume")
            if not os.access(there, os.W_OK | os.X_OK):
                raise BenchError(f"output folder {folder} can't be written", cure="give another one by --out")
        except OSError as e:
            raise BenchError(f"output folder {folder} can't be used ({e.strerror})", cure="give another one") from e

    @classmethod
    def reopen(cls, folder: Path) -> Store:
        """An earlier run's folder.

        Raises:
            BenchError: there is no run.
        """
        if not (folder / MANIFEST).is_file():
            raise BenchError(f"{folder} holds no run ({MANIFEST} is missing)", cure="give the folder of a run")
        return cls(folder)

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Replace the manifest as a whole."""
        self._replace(MANIFEST, json.dumps({"manifest_version": MANIFEST_VERSION} | manifest, indent=2) + "\n")

    def manifest(self) -> dict[str, Any]:
        """Read the manifest.

        Raises:
            BenchError: unreadable, damaged, or of a version this bench does not know.
        """
        return read_manifest(self.folder)

    def rows(self) -> list[dict[str, Any]]:
        """All samples in the journal, in planned order."""
        return sorted(journal.read(self.folder).values(), key=lambda r: int(r["order"]))

    def write_samples(self) -> Path:
        """samples.csv from the journal."""
        return self._replace(SAMPLES, csv_text(COLUMNS, self.rows()))

    def write_text(self, name: str, text: str) -> Path:
        """Any other file, replaced as a whole."""
        return self._replace(name, text)

    def path(self, name: str) -> Path:
        """A path inside, its folder made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _replace(self, name: str, text: str) -> Path:
        path = self.folder / name
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("w", encoding="utf-8", newline="") as f:
                f.write(text)
                f.flush()
                os.fsync(f.fileno())
            part.replace(path)
        except OSError as e:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise BenchError(f"{path} can't be written ({e.strerror})", cure="free space or mend permissions") from e
        return path


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run folder. Raises as `Store.manifest`."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = int(manifest["manifest_version"])
    except OSError as e:
        raise BenchError(f"{path} can't be read ({e.strerror})", cure="give the folder of a run") from e
    except (ValueError, KeyError, TypeError) as e:
        raise BenchError(f"{path} is damaged ({e})", cure="restore it, or start a new run") from e
    if version != MANIFEST_VERSION:
        raise BenchError(
            f"{path} has version {version}, this bench reads {MANIFEST_VERSION}", cure="use the bench that wrote it"
        )
    return manifest


def csv_text(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """CSV: null as an empty cell, booleans as true/false, floats in full."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return out.getvalue()


def now_text() -> str:
    """The time of day in UTC, for people; durations come from a Clock."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)
