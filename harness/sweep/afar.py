"""Takes samples of emulated boards on the workers of a cluster, which need none of this machine's files.

What a sample is made of goes along once a worker: weights, firmware images and the pictures of the plan, each checked
by its hash; its pinned time goes along with each sample. Every worker opens a lab of its own (broker, edge, boards),
so no port of this machine is open to others.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.artefacts.images import Few, Images
from harness.cluster import worker
from harness.cluster.client import Cluster
from harness.cluster.worker import AsOneself
from harness.contracts import scratch
from harness.contracts.description import SERVER
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Testbed
from harness.host import registry
from harness.lab import lab
from harness.lab.labfile import EMPTY, LabSetup, TestbedSection
from harness.measure.inference_energy import meter_for
from harness.runs.provenance import file_sha256
from harness.sweep.job import Job
from harness.sweep.runner import Pool, Rows, Watcher
from harness.sweep.stand import Bench, Stand

_LEAVE_S = 15.0


@dataclass(frozen=True)
class Parcel:
    """Holds all that a worker needs for the samples of one run.

    `files` are contents by path in the worker's own folder, `folders` and `firmware` say by scheme which of them belong
    together, with the hash that they must have.
    """

    run: str
    testbed: str
    energy: bool
    files: Mapping[str, bytes]
    folders: Mapping[str, tuple[str, str]]  # path, SHA-256 over the weights
    firmware: Mapping[str, tuple[str, str]]  # path, SHA-256
    pictures: Few
    pictures_sha256: str


def check(setup: LabSetup, testbed: Testbed) -> None:
    """Check that samples of this testbed can be taken elsewhere.

    Raises:
        BenchError: it is a board that stands here, or the lab file has something that other machines lack.
    """
    if not lab.many(testbed):
        raise BenchError(
            f"--cluster is for emulated boards, and times of testbed {testbed.name} are those of where it runs",
            cure="leave --cluster out, or take --testbed virtual",
        )
    own = setup.emulated().testbed(testbed.name)
    here = {
        "[broker] url": setup.file.broker.url,
        "[edge] host": setup.file.edge.host,
        "[probe]": setup.probe(testbed.name),
        f"[testbeds.{testbed.name}]": own if own != TestbedSection() else None,
    }
    for what, given in here.items():
        if given:
            raise BenchError(
                f"the lab file has {what}, which workers of a cluster lack", cure="leave it or --cluster out"
            )


def parcel(
    found: Mapping[str, Artefact],
    firmware: Mapping[str, Path],
    images: Images,
    jobs: Sequence[Job],
    testbed: str,
    *,
    energy: bool,
) -> Parcel:
    """Pack what the workers need for these jobs.

    Raises:
        BenchError: a file can't be read.
    """
    files: dict[str, bytes] = {}
    folders, images_of = {}, {}
    for scheme, artefact in found.items():
        folders[scheme] = (_place(artefact.folder), artefact.weights)
        _pack(artefact.folder, files)
        if artefact.description.server_of:
            other = (artefact.folder / artefact.description.server_of).resolve()
            _pack(other, files, (SERVER,))
        name = f"firmware/{scheme}/{firmware[scheme].name}"
        files[name] = firmware[scheme].read_bytes()
        images_of[scheme] = (name, file_sha256(firmware[scheme]))
    few = images.few(job.planned.image for job in jobs)
    return Parcel(secrets.token_hex(6), testbed, energy, files, folders, images_of, few, _hash(few))


def there(cluster: Cluster, packed: Parcel) -> Pool:
    """Return what takes samples on the workers of a cluster."""

    def pool(jobs: Sequence[Job], watcher: Watcher) -> Rows:
        wanted = [job for job in jobs if watcher.wants(job.planned)]
        for job in jobs:
            if not watcher.wants(job.planned):
                yield job.planned, None
        for index, row in cluster.each(taken, wanted, packed):
            planned = wanted[index].planned
            watcher.started(planned)  # nobody tells when: it is shown as it comes in
            watcher.finished(planned, row)
            yield planned, row

    return pool


def taken(job: Job, packed: Parcel) -> dict[str, Any]:
    """Take one sample on this worker and return its row, also that of one that failed.

    Raises:
        BenchError: the lab could not be opened, or the board can't be made ready.
    """
    return worker.kept(packed, opened).take(job)


class Outpost:
    """Holds a worker's lab, and a stand of boards for each of its threads."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._numbers = itertools.count()
        self._cancelled = threading.Event()
        self._stands: dict[int, tuple[Stand, threading.Lock]] = {}
        self._lock = threading.Lock()

    def take(self, job: Job) -> dict[str, Any]:
        """Take one sample on a board of this thread. Raises as `taken`."""
        self._bench.lab.check()
        with self._lock:
            thread = threading.get_ident()
            if thread not in self._stands:
                self._stands[thread] = Stand(self._bench, self._numbers, self._cancelled), threading.Lock()
            stand, own = self._stands[thread]
        with own:
            try:
                row = stand.take(job)
            except BenchError:
                stand.drop(job.kind)
                self._bench.lab.check()  # a dead broker explains a failed board better than the board does
                raise
        return row

    def close(self) -> None:
        """Give all boards back. A sample that is being taken ends first, or is given up."""
        self._cancelled.set()
        while self._stands:
            _, (stand, own) = self._stands.popitem()
            ended = own.acquire(timeout=_LEAVE_S)
            try:
                stand.close()
            finally:
                if ended:
                    own.release()


def opened(packed: Parcel, held: ExitStack) -> Outpost:
    """Open a lab for a parcel; `held` closes it.

    Raises:
        AsOneself: a part of the parcel is not what its hash says.
        BenchError: broker or edge can't be started.
    """
    folder = held.enter_context(scratch.folder("cluster"))
    for name, content in packed.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = {scheme: artefacts.load(folder / name) for scheme, (name, _) in packed.folders.items()}
    firmware = {scheme: folder / name for scheme, (name, _) in packed.firmware.items()}
    whole = all(artefact.weights == packed.folders[scheme][1] for scheme, artefact in found.items())
    whole = whole and all(file_sha256(path) == packed.firmware[scheme][1] for scheme, path in firmware.items())
    if not whole or _hash(packed.pictures) != packed.pictures_sha256:
        raise AsOneself("weights, firmware or pictures did not come whole to a worker", cure="start again")
    up = held.enter_context(lab.opened(list(found.values())))
    up.calibrated()  # it warms up; its times are not used
    kind, make = registry.testbed_class(packed.testbed), EMPTY.factory(packed.testbed)
    bench = Bench(up, make, found, firmware, packed.pictures, (lambda: meter_for(kind)) if packed.energy else None)
    outpost = Outpost(bench)
    held.callback(outpost.close)
    return outpost


def _place(folder: Path) -> str:
    """Return where a folder of weights stands on a worker: a path to another one's server stays right."""
    whole = folder.resolve()
    return f"weights/{whole.parent.name}/{whole.name}"


def _pack(folder: Path, files: dict[str, bytes], names: Sequence[str] = ()) -> None:
    try:
        for path in sorted(folder.iterdir()):
            if path.is_file() and (not names or path.name in names):
                files[f"{_place(folder)}/{path.name}"] = path.read_bytes()
    except OSError as e:
        raise BenchError(f"{folder} can't be read ({e.strerror})", cure="check its permissions") from e


def _hash(few: Few) -> str:
    digest = hashlib.sha256()
    for index, picture in sorted(few.pictures.items()):
        digest.update(f"{index} {few.labels[index]} {picture.shape}\n".encode())
        digest.update(picture.tobytes())
    return digest.hexdigest()
