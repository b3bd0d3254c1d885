"""Keeps pinned remote times: calibrated once while the edge warms up, then the same in every run that uses the file.

On an emulated board the remote half would otherwise bring the host's mood into virtual time. The wall time of each
call is recorded beside the pinned one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.contracts.problems import first_problem
from harness.contracts.toml import Strict
from harness.edge.launch import Calibrated
from harness.runs.store import Store, now_text

VERSION = 1


class Entry(Strict):
    """Holds the remote time of one artefact."""

    label: str
    remote_ms: float = Field(gt=0, le=60_000, allow_inf_nan=False)
    calibrated_at: str


class Pinned(Strict):
    """Holds remote times by weights hash (64 hex digits)."""

    pinned_version: int = VERSION
    remote: dict[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], Entry] = Field(default_factory=dict)

    def remote_ms(self, artefact: Artefact) -> float | None:
        """Return what to charge for one call, ms; None for a scheme that never leaves the device.

        Raises:
            BenchError: the file does not know these weights.
        """
        if not artefact.offloads:
            return None
        entry = self.remote.get(artefact.weights)
        if entry is None:
            raise BenchError(
                f"the pinned file has no remote time for {artefact.description.label} ({artefact.weights[:8]})",
                cure="run once without --remote-ms to calibrate it",
            )
        return entry.remote_ms

    def missing(self, artefacts: Sequence[Artefact]) -> list[Artefact]:
        """Return the artefacts whose remote time is not known."""
        return [a for a in artefacts if a.offloads and a.weights not in self.remote]


def default_path(results: Path, dataset: str, profile: str) -> Path:
    """Return where times are kept when no file is given."""
    return results / "pinned" / f"{dataset}-{profile}.json"


def read(path: Path) -> Pinned:
    """Read a pinned file.

    Raises:
        BenchError: missing, unreadable, or not of this format.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise BenchError(f"pinned file {path} can't be read ({e.strerror})", cure="give one by --remote-ms") from e
    try:
        pinned = Pinned.model_validate_json(text)
    except ValidationError as e:
        raise BenchError(
            f"{path}: {first_problem(e)[0]}", cure="mend it, or move it away: it is calibrated anew"
        ) from e
    if pinned.pinned_version != VERSION:
        raise BenchError(f"{path} has version {pinned.pinned_version}, this bench reads {VERSION}")
    return pinned


def of_run(folder: Path) -> dict[str, Entry]:
    """Return the remote times that a stored run was charged, by weights."""
    told = Store(folder).facts()
    if told.pinned is None:
        return {}
    return {
        told.schemes[name].weights: Entry(
            label=told.schemes[name].title, remote_ms=remote_ms, calibrated_at=told.began_at
        )
        for name, remote_ms in told.pinned.remote_ms.items()
        if remote_ms is not None and name in told.schemes
    }


def completed(path: Path, pinned: Pinned, artefacts: Sequence[Artefact], by_u32: Mapping[str, Calibrated]) -> Pinned:
    """Add what the edge calibrated for the missing artefacts to `pinned`, and write it to `path` when anything was
    missing.

    Raises:
        BenchError: the edge did not calibrate one of them, or the file can't be written.
    """
    missing = pinned.missing(artefacts)
    if not missing:
        return pinned
    remote = dict(pinned.remote)
    for artefact in missing:
        calibrated = by_u32.get(f"{artefact.u32:08x}")
        if calibrated is None:
            raise BenchError(f"the edge server does not serve {artefact.description.label}")
        label = artefact.description.label
        remote_ms = round(calibrated.service_us / 1e3, 3)
        remote[artefact.weights] = Entry(label=label, remote_ms=remote_ms, calibrated_at=now_text())
    done = Pinned(remote=remote)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(done.model_dump(), indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as e:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise BenchError(f"pinned file {path} can't be written ({e.strerror})", cure="give another folder") from e
    return done


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
