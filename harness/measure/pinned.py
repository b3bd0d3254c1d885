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
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from harness.artefacts.artefacts import Artefact
from harness.contracts import reading
from harness.contracts.description import file_sha256, server_file
from harness.contracts.errors import BenchError
from harness.contracts.problems import first_problem
from harness.contracts.toml import Strict
from harness.edge.launch import Calibrated
from harness.runs import provenance
from harness.runs.store import Store, now_text

VERSION = 1
SHIPPED = Path(__file__).with_name("service_times.toml")  # of the weights in this tree, on the reference host


class Entry(Strict):
    """Holds the remote time of one artefact."""

    label: str
    remote_ms: float = Field(gt=0, le=60_000, allow_inf_nan=False)
    calibrated_at: str
    host: str = ""  # where it was measured; empty: not told


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

    def shared(self, artefacts: Sequence[Artefact]) -> Pinned:
        """Return the times with those of artefacts that differ only in what the device does, such as JPEG's quality.

        Their server is the very file of one whose time is known, and does the same part of it: so is their time.
        """
        known = {_served(a): self.remote[a.weights] for a in artefacts if a.offloads and a.weights in self.remote}
        more = {a.weights: known[_served(a)] for a in self.missing(artefacts) if _served(a) in known}
        return Pinned(remote=self.remote | more)

    def missing(self, artefacts: Sequence[Artefact]) -> list[Artefact]:
        """Return the artefacts whose remote time is not known."""
        return [a for a in artefacts if a.offloads and a.weights not in self.remote]


@dataclass(frozen=True)
class Chosen:
    """Holds the times that a run is to charge, and the file that its manifest names for them (None: another run's)."""

    path: Path | None
    times: Pinned


def choose(own: Path, artefacts: Sequence[Artefact], *, given: Path | None = None, calibrate: bool = False) -> Chosen:
    """Return the times of a run: those of the file given, else the shipped ones, which are the same on every machine.

    Args:
        own: where this host keeps what it measured itself: of weights that are not shipped, or all (`calibrate`).
        given: `--remote-ms FILE`; it must know all weights, and is not added to.
        calibrate: measure all anew on this host.

    Raises:
        BenchError: a file is damaged or lacks weights, or both options were given.
    """
    if given is not None:
        if calibrate:
            raise BenchError("--remote-ms and --calibrate exclude each other", cure="leave one of them out")
        times = read(given)
        for artefact in artefacts:
            times.remote_ms(artefact)
        return Chosen(given, times)
    if calibrate:
        return Chosen(own, Pinned())
    shipped = read(SHIPPED).shared(artefacts)
    if not shipped.missing(artefacts):
        return Chosen(SHIPPED, shipped)
    used = {a.weights: shipped.remote[a.weights] for a in artefacts if a.weights in shipped.remote}
    return Chosen(own, Pinned(remote=(read(own).remote if own.exists() else {}) | used))


def _served(artefact: Artefact) -> tuple[str, str, int]:
    """Return what the server's time depends on: the scheme, the network's file, and where it is cut."""
    description = artefact.description
    return description.scheme, file_sha256(server_file(artefact.folder, description)), description.split


def charged(folder: Path, artefacts: Sequence[Artefact]) -> Chosen:
    """Return the times that the run in `folder` was charged, for going on with it.

    Raises:
        BenchError: it was measured with other weights.
    """
    times = Pinned(remote=of_run(folder))
    for artefact in times.missing(artefacts):
        raise BenchError(
            f"{folder} was measured with other weights of {artefact.description.label}",
            cure="restore them, or start a new run",
        )
    return Chosen(None, times)


def default_path(results: Path, dataset: str, profile: str) -> Path:
    """Return where this host keeps what it measured itself."""
    return results / "pinned" / f"{dataset}-{profile}.json"


def read(path: Path) -> Pinned:
    """Read a pinned file.

    Raises:
        BenchError: missing, unreadable, or not of this format.
    """
    cure = "give one by --remote-ms, or move it away: it is calibrated anew"
    tree = reading.toml_of(path, cure) if path.suffix == ".toml" else reading.json_of(path, cure)
    try:
        pinned = Pinned.model_validate(tree)
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
            label=told.schemes[name].title,
            remote_ms=remote_ms,
            calibrated_at=told.began_at,
            host=told.pinned.hosts.get(name, ""),
        )
        for name, remote_ms in told.pinned.remote_ms.items()
        if remote_ms is not None and name in told.schemes
    }


def completed(chosen: Chosen, artefacts: Sequence[Artefact], by_u32: Mapping[str, Calibrated]) -> Pinned:
    """Add what the edge calibrated for the missing artefacts to the times, and write them to the file where it lacks
    any.

    Raises:
        BenchError: the edge did not calibrate one of them, or the file can't be written.
    """
    path, pinned = chosen.path, chosen.times
    missing = pinned.missing(artefacts)
    if path is None or (not missing and (path == SHIPPED or (path.exists() and not read(path).missing(artefacts)))):
        return pinned
    remote = dict(pinned.remote)
    for artefact in missing:
        calibrated = by_u32.get(f"{artefact.u32:08x}")
        if calibrated is None:
            raise BenchError(f"the edge server does not serve {artefact.description.label}")
        label = artefact.description.label
        remote_ms = round(calibrated.service_us / 1e3, 3)
        remote[artefact.weights] = Entry(
            label=label, remote_ms=remote_ms, calibrated_at=now_text(), host=provenance.host_text()
        )
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


def facts(chosen: Chosen, pinned: Pinned, artefacts: Mapping[str, Artefact]) -> dict[str, Any]:
    """Return what a manifest says of the times that were charged: file, its SHA-256, times and hosts by scheme."""
    sent = {name: pinned.remote[a.weights] for name, a in artefacts.items() if a.offloads}
    path = chosen.path
    shown = "" if path is None else f"harness/measure/{path.name}" if path == SHIPPED else str(path)
    data = path.read_bytes() if path is not None else json.dumps(pinned.model_dump()).encode()
    return {
        "file": shown,
        "sha256": hashlib.sha256(data).hexdigest(),
        "remote_ms": {name: entry.remote_ms for name, entry in sent.items()},
        "hosts": {name: entry.host for name, entry in sent.items() if entry.host},
    }
