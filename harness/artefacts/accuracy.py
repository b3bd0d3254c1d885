"""Measures accuracy over a whole test set by the same C code that the device runs, cached by what it depends on.

Device half: the host build of the firmware, picture by picture. Remote half: the server model, in batches. Combination:
the firmware's own. The sweep calls it through the command `python -m harness.accuracy`, so that its memory and
threads stay in a process of their own.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.artefacts.artefacts import Artefact
from harness.contracts import exits, reading, scratch
from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir
from harness.host import last_words, registry
from harness.host.processes import die_with_parent, inherited_path
from harness.runs.answers import packed
from harness.runs.provenance import file_sha256
from harness.runs.sample import content_hash
from testbeds.firmware.host.schemelib import Batch, HostLibrary

if TYPE_CHECKING:
    from harness.artefacts.images import Images

log = logging.getLogger(__name__)

_VERSION = 2  # 1 had neither payloads nor answers
_CHUNK = 250  # pictures after which it is told how far it is; a whole number of a server model's batches
_PROGRESS = re.compile(r"(\d{1,9}) of (\d{1,9})")  # a line of the process that measures

Tell = Callable[[int, int], None]


def _untold(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Measured:
    """Counts the right answers of a test set of `n`: combined as the device would, and each half alone (None: not
    there). `payloads` counts the messages of those that are sent, by their size (header included), and `answers` says
    of each picture whether it was right (`harness.runs.answers`).
    """

    right: int
    n: int
    local_right: int | None
    remote_right: int | None
    exited: int
    payload_bytes_mean: float
    payloads: tuple[tuple[int, int], ...]  # (bytes, pictures), ascending; empty for schemes that send nothing
    answers: str

    @property
    def share(self) -> float:
        """Return the share of right answers, 0..1."""
        return self.right / self.n


def cached(artefact: Artefact, library: Path, data: Images) -> Measured | None:
    """Return the accuracy measured before for exactly this artefact, C code and test set; None when there is none."""
    try:
        found: dict[str, Any] = reading.json_of(_cache_file(artefact, library, data), "measured anew")
        return Measured(**found | {"payloads": tuple((int(size), int(n)) for size, n in found["payloads"])})
    except (BenchError, TypeError, KeyError, ValueError):
        return None  # not there, or half written by an older bench: measured anew


def measured_apart(artefact: Artefact, library: Path, data: Images, tell: Tell = _untold) -> Measured:
    """Measure in a process of its own, which leaves the result in the cache.

    Args:
        tell: is told how many of how many pictures have gone through a half.

    Raises:
        BenchError: it failed, with its reason.
    """
    words = [str(artefact.folder), "--dataset", data.name, "--library", str(library), "--with-parent"]
    with scratch.folder("accuracy") as own_folder, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.accuracy", *words],
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env=os.environ | {"PYTHONPATH": inherited_path(), "TMPDIR": str(own_folder)},
        )
        try:
            for line in process.stdout or ():
                if progress := _PROGRESS.fullmatch(line.strip()):
                    tell(int(progress[1]), int(progress[2]))
            code = process.wait()
        finally:
            process.kill()  # no effect on one that has ended
            process.wait()
            if process.stdout:
                process.stdout.close()
        said.seek(0)
        stderr = said.read()[-4000:].decode("utf-8", "replace")
    found = cached(artefact, library, data)
    if code or found is None:
        why = last_words.of(stderr) or "it did not say why"
        raise BenchError(
            f"the accuracy of {artefact.description.label} could not be measured; its process {exits.how(code)}: {why}"
        )
    return found


def measure(
    artefact: Artefact, library: Path, data: Images, workers: int | None = None, tell: Tell = _untold
) -> Measured:
    """Measure and cache; `tell` as `measured_apart` has it.

    Raises:
        BenchError: the artefact's server model can't be loaded.
    """
    n = len(data.pictures)
    total = 2 * n if artefact.offloads else n
    halves = device_halves(
        artefact, library, data.pictures, workers or os.cpu_count() or 1, lambda done: tell(done, total)
    )
    remote = None
    if artefact.offloads:
        server = registry.scheme(artefact.description.scheme).server(artefact.folder)
        parts = []
        for start in range(0, n, _CHUNK):
            parts.append(server.infer_batch(halves.symbols[start : start + _CHUNK]))
            tell(min(total, n + start + _CHUNK), total)
        remote = np.concatenate(parts)
    found = _judge(artefact, library, halves, remote, data.labels)
    path = _cache_file(artefact, library, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(asdict(found)), encoding="utf-8")
    part.replace(path)
    return found


def device_halves(
    artefact: Artefact,
    library: Path,
    pictures: npt.NDArray[np.uint8],
    workers: int,
    tell: Callable[[int], None] = lambda done: None,
) -> Batch:
    """Run the C code's part over uint8 pictures, in processes: a library works in static buffers, as on the device.

    Args:
        tell: is told how many pictures are done.
    """
    workers = min(workers, max(1, len(pictures) // 100))
    if workers == 1 and len(pictures) <= _CHUNK:
        return _device_part(library, pictures)
    parts = [pictures[start : start + _CHUNK] for start in range(0, len(pictures), _CHUNK)]
    done: list[Batch] = []
    with ProcessPoolExecutor(workers, get_context("spawn"), die_with_parent) as pool:
        for batch in pool.map(_device_part, [library] * len(parts), parts):
            done.append(batch)
            tell(min(len(pictures), len(done) * _CHUNK))
    return Batch(*(np.concatenate([getattr(one, f.name) for one in done]) for f in fields(Batch)))


def _device_part(library: Path, pictures: npt.NDArray[np.uint8]) -> Batch:
    return HostLibrary(library).run_many(pictures)


def _judge(
    artefact: Artefact,
    library: Path,
    halves: Batch,
    remote: npt.NDArray[np.float32] | None,
    labels: npt.NDArray[np.unsignedinteger[Any]],
) -> Measured:
    host = HostLibrary(library)
    local = np.argmax(halves.local_logits, axis=1) if halves.local_logits.shape[1] else None
    answers = [
        host.combine(halves.local_logits[i], None if remote is None or halves.exited[i] else remote[i])[1]
        for i in range(len(labels))
    ]
    right = np.asarray(answers) == labels
    sent = halves.payload_bytes[~halves.exited] if artefact.offloads else halves.payload_bytes[:0]
    return Measured(
        right=int(np.sum(right)),
        n=len(labels),
        local_right=None if local is None else int(np.sum(local == labels)),
        remote_right=None if remote is None else int(np.sum(np.argmax(remote, axis=1) == labels)),
        exited=int(np.sum(halves.exited)),
        payload_bytes_mean=float(sent.mean()) if sent.size else 0.0,
        payloads=tuple((int(size), int(n)) for size, n in zip(*np.unique(sent, return_counts=True), strict=True)),
        answers=packed(right),
    )


def _cache_file(artefact: Artefact, library: Path, data: Images) -> Path:
    facts = {"v": _VERSION, "weights": artefact.weights, "library": file_sha256(library), "images": data.checksum}
    return cache_dir() / "accuracy" / f"{artefact.description.label}-{content_hash(facts)}.json"
