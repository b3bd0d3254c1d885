"""Defines what a run says of itself: `manifest.json`, version 2. docs/results.md explains every key; a test compares
the two.

A manifest is checked when it is written and when it is read. Of version 1 all is taken over, and what it did not know
yet is null. A later version is refused: a bench that does not know a key can not know what it leaves out.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.contracts.errors import BenchError
from harness.contracts.problems import first_problem
from harness.contracts.testbed import Source
from harness.contracts.toml import Strict
from harness.runs.answers import unpacked

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
VERSION = 2
_MOST_BYTES = 64 << 20
_REMARKED: set[Path] = set()  # manifests without a checksum that were spoken of


class Open(BaseModel):
    """Serves as the base of a part whose keys belong to a testbed, an instrument or a scheme: those named here are
    checked, others kept.
    """

    model_config = ConfigDict(extra="allow", frozen=True)


class Commit(Strict):
    """Identifies the checkout that the program ran from."""

    hash: str
    dirty: bool
    diff_sha256: str | None


class Host(Strict):
    """Describes the machine that ran the harness."""

    system: str
    kernel: str
    machine: str
    cores: int | None


class AxisFacts(Strict):
    """Says what was varied."""

    name: str
    column: str
    values: list[float | None]


class DatasetFacts(Strict):
    """Identifies the test set."""

    name: str
    checksum: str
    test_n: int
    profile: str


class TestbedFacts(Open):
    """Holds the testbed's own description."""

    __test__ = False

    name: str
    title: str
    target: str
    clock_hz: int
    ram_bytes: int
    flash_bytes: int
    console_baud: int
    module_baud: int
    time_source: Source
    remarks: str = ""
    limits: dict[str, float] = Field(default_factory=dict)
    extra: dict[str, Any] = Field(default_factory=dict)
    pins_remote: bool


class LabFacts(Strict):
    """Identifies the lab file: where boards, broker and probe were found. It holds no secret."""

    file: str
    sha256: str
    settings: dict[str, Any]


class DoctorFacts(Strict):
    """Sums up the doctor's report beside the manifest: how many checks ended how, and which did not pass."""

    file: str
    sha256: str
    counts: dict[str, int]
    not_passed: list[str]


class LinkFacts(Open):
    """Says what a packet is charged beyond its payload."""

    segment_bytes: int
    header_bytes: int
    both_directions: bool


class Procedure(Strict):
    """Says how the run was measured: what decides how many samples there are, and what they are held against."""

    repeat_until: float | None  # width of the median's interval as a share of it
    max_samples: int | None
    deadline_ms: float | None


class FirmwareFacts(Open):
    """Identifies the image that the device ran."""

    file: str
    sha256: str


class SchemeFacts(Open):
    """Describes one scheme as it was measured."""

    title: str
    version: int = 1
    weights: str
    firmware: FirmwareFacts
    codec: str
    alpha: float
    exit_threshold: float


class PointFacts(Open):
    """Holds the settings of one point."""

    scheme: str
    dataset: str
    profile: str
    testbed: str
    rate_bps: float | None
    delay_ms: float
    clock_hz: int


class PinnedFacts(Strict):
    """Holds the remote times that were charged instead of those that passed."""

    file: str
    sha256: str
    remote_ms: dict[str, float | None]
    hosts: dict[str, str] = Field(default_factory=dict)  # by scheme, where it was measured

    @property
    def told(self) -> str:
        """Return where the times were measured, as notes say it."""
        known = list(dict.fromkeys(self.hosts.values()))
        return f"the edge's part measured on {' and on '.join(known) or 'an unnamed host'}, and pinned"


class EnergyFacts(Open):
    """Says how energies were made."""

    idle_subtracted: bool


class ProbeFacts(Open):
    """Describes the instrument that measured them."""

    name: str
    calibration: dict[str, Any] | None = None


class ClusterFacts(Strict):
    """Describes the workers that took the samples, where that was not this machine's own boards."""

    kind: Literal["local", "scheduler"]
    workers: int
    hosts: list[str]
    dask: str


class AccuracyFacts(Strict):
    """Holds the accuracy over the whole test set, and what its pictures come to as payloads.

    `payloads` counts the pictures that are sent by the size of their message, header included, ascending; `answers`
    has a bit a picture (`harness.runs.answers`). None: an earlier bench did not count them.
    """

    right: int
    n: int
    share: float
    exited: int = 0
    payloads: list[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]]] | None = None
    answers: str | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> AccuracyFacts:
        if self.payloads and sum(n for _, n in self.payloads) != self.n - self.exited:
            raise ValueError(f"payloads of {sum(n for _, n in self.payloads)} pictures, of {self.n} {self.exited} exit")
        if self.answers is not None and int(unpacked(self.answers, self.n).sum()) != self.right:
            raise ValueError(f"answers and right ({self.right}) differ")
        return self


class Manifest(Strict):
    """Holds the whole manifest; see docs/results.md."""

    manifest_version: Literal[2] = 2
    kind: Literal["sweep", "hil"]
    status: Literal["running", "finished", "stopped"]
    began_at: str
    ended_at: str | None
    resumed_at: list[str] = Field(default_factory=list)
    argv: list[str]
    command: str
    commit: Commit | None
    python: str
    packages: dict[str, str]
    tools: dict[str, str] = Field(default_factory=dict)
    host: Host
    axis: AxisFacts | None
    procedure: Procedure | None = None
    seed: int
    images: list[int]
    warmup_images: int
    order_rule: str
    order: list[str]
    dataset: DatasetFacts
    testbed: TestbedFacts
    lab: LabFacts | None = None
    doctor: DoctorFacts | None = None
    link: LinkFacts | None
    link_certificates: list[dict[str, Any]] = Field(default_factory=list)
    probe: ProbeFacts | None = None
    schemes: dict[str, SchemeFacts]
    points: dict[str, PointFacts]
    pinned: PinnedFacts | None
    energy: EnergyFacts | None
    jobs: int
    cluster: ClusterFacts | None = None
    broker: str
    accuracy: dict[str, AccuracyFacts] = Field(default_factory=dict)
    checksum: str | None = None  # of all the rest; None in manifests of earlier benches


def checked(manifest: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return `manifest` (of the present version) as it goes into a file, with keys in the model's order.

    Raises:
        BenchError: a key is unknown, missing or of another type; `where` names the file.
    """
    try:
        model = Manifest.model_validate({**manifest, "manifest_version": VERSION})
    except ValidationError as e:
        raise BenchError(f"{where}: {first_problem(e)[0]}", cure="restore it, or start a new run") from e
    return model.model_dump(mode="json", exclude={"checksum"})


def text(manifest: Mapping[str, Any], where: str) -> str:
    """Return `manifest` (of the present version) as it goes into a file, with its checksum. Raises as `checked`."""
    whole = checked(manifest, where)
    return json.dumps(whole | {"checksum": checksum(whole)}, indent=2) + "\n"


def checksum(told: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all that a manifest tells but the checksum: of its values, not of how they are written."""
    rest = {key: value for key, value in told.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read(folder: Path) -> Manifest:
    """Read the manifest of a run's folder.

    Raises:
        BenchError: unreadable, damaged, or of a version that this bench does not know.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BenchError(f"{path} is too large to be a manifest", cure="restore it, or start a new run")
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise BenchError(f"{path} can't be read ({e.strerror})", cure="give the folder of a run") from e
    except UnicodeDecodeError as e:
        raise BenchError(f"{path} is damaged (no UTF-8)", cure="restore it, or start a new run") from e
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise BenchError(f"{path} is damaged ({str(e)[:80]})", cure="restore it, or start a new run") from e
    if not isinstance(found, dict):
        raise BenchError(f"{path} is damaged (it holds no keys)", cure="restore it, or start a new run")
    present = _present(found, path)
    _check_sum(found, path)
    return Manifest.model_validate(checked(present, str(path)))


def _check_sum(found: Mapping[str, Any], path: Path) -> None:
    """Raise BenchError when the file is not as it was written; make a remark where that can't be told."""
    if found.get("checksum") is None:
        if path not in _REMARKED:
            _REMARKED.add(path)
            log.info("%s has no checksum, as an earlier bench wrote it: damage in it can't be told", path)
    elif found["checksum"] != checksum(found):
        raise BenchError(
            f"{path} is damaged (its checksum is wrong)", cure="restore it from a copy, or start a new run"
        )


def _present(found: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return `found` as of the present version.

    Version 1 differs in what it lacks: tools, procedure, link certificates, probe and the times of resuming.
    """
    version = found.get("manifest_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BenchError(f"{path} is damaged (it has no version)", cure="restore it, or start a new run")
    if version > VERSION:
        raise BenchError(
            f"{path} has version {version}, this bench reads up to {VERSION}",
            cure="use the bench that wrote it, or a newer one",
        )
    return found
