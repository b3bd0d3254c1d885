"""Takes the samples of a plan on one or several boards, and hands every finished row to the caller at once.

Each worker is a thread with boards of its own; the boards are processes of their own, so the threads only wait. Rows
do not depend on how many workers there are, nor on who takes which sample.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.artefacts.artefacts import Artefact
from harness.artefacts.images import Images
from harness.contracts.errors import BenchError, BenchFailed, SampleFailed
from harness.contracts.link import Certificate, LinkSpec
from harness.contracts.testbed import Testbed
from harness.device.boardlog import Logs
from harness.device.bringup import Board, State
from harness.device.device import Cancelled
from harness.lab.lab import BoardKind, Boards, Lab
from harness.measure.inference import measure
from harness.measure.inference_energy import measure_with_energy
from harness.power.sampling import EnergyMeter
from harness.runs.sample import Planned, checked, failed

log = logging.getLogger(__name__)

_LEAVE_S = 15.0  # for workers to give their boards back


@dataclass(frozen=True)
class Job:
    """Holds one planned sample with what it needs."""

    planned: Planned
    kind: BoardKind
    link: LinkSpec | None  # None: left as it is
    pinned_ms: float | None


@dataclass(frozen=True)
class Done:
    """Holds a finished sample, or what ended a worker."""

    planned: Planned | None
    row: dict[str, Any] | None
    error: BaseException | None = None


@dataclass(frozen=True)
class Bench:
    """Holds what the workers share."""

    lab: Lab
    make: Callable[[], Testbed]
    artefacts: Mapping[str, Artefact]
    firmware: Mapping[str, Path]
    images: Images
    meter: Callable[[], EnergyMeter] | None = None  # energy of every sample, where asked for
    certified: Callable[[str, Certificate], None] | None = None  # told what the link was at a point, where measured
    logs: Logs | None = None  # of the boards; none where there is no run to keep them


class Watcher:
    """Is asked and told by the workers' threads. This one wants every sample and keeps none; override what is
    needed.
    """

    def wants(self, planned: Planned) -> bool:
        """Say whether a sample is still wanted, just before it would be taken."""
        return True

    def started(self, planned: Planned) -> None:
        """Note that a sample begins."""

    def finished(self, planned: Planned, row: dict[str, Any]) -> None:
        """Take a finished sample. Its worker begins no other before this returns, and then it is on disk."""


def run(
    bench: Bench, jobs: Sequence[Job], workers: int, watcher: Watcher
) -> Generator[tuple[Planned, dict[str, Any] | None], None, None]:
    """Take all samples; yield each as it finishes, in no particular order, with None for one that was not wanted.

    Args:
        watcher: asked and told of every sample, from the workers' threads.

    Raises:
        BenchError: broker, edge or a board is gone for good. Boards are given back in any case, also when the caller
            stops iterating.
    """
    todo: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        todo.put(job)
    done: queue.SimpleQueue[Done] = queue.SimpleQueue()
    cancelled = threading.Event()
    numbers = itertools.count()
    lock = threading.Lock()

    def next_number() -> Iterator[int]:
        while True:
            with lock:
                number = next(numbers)
            yield number

    def work() -> None:
        boards = Boards(
            bench.lab,
            bench.make,
            bench.artefacts,
            bench.firmware,
            numbers=next_number(),
            cancelled=cancelled,
            logs=bench.logs,
        )
        meter: EnergyMeter | None = None
        try:
            boards.meter = meter = bench.meter() if bench.meter else None
            while not cancelled.is_set():
                try:
                    job = todo.get_nowait()
                except queue.Empty:
                    break
                if not watcher.wants(job.planned):
                    done.put(Done(job.planned, None))
                    continue
                watcher.started(job.planned)
                row = _take(bench, boards, meter, job)
                watcher.finished(job.planned, row)
                done.put(Done(job.planned, row))
        except BaseException as e:  # handed to the main thread, which raises it
            done.put(Done(None, None, e))
        finally:
            if meter is not None:
                meter.close()
            boards.close()

    threads = [threading.Thread(target=work, name=f"worker-{i}", daemon=True) for i in range(min(workers, len(jobs)))]
    try:
        for thread in threads:
            thread.start()
        for _ in range(len(jobs)):
            yield _next(bench, done)
    finally:
        cancelled.set()
        for thread in threads:
            thread.join(_LEAVE_S)


def _next(bench: Bench, done: queue.SimpleQueue[Done]) -> tuple[Planned, dict[str, Any] | None]:
    while True:
        try:
            one = done.get(timeout=0.5)
        except queue.Empty:
            bench.lab.check()
            continue
        if one.error is not None:
            bench.lab.check()  # a dead broker explains a failed board better than the board does
            raise one.error
        if one.planned is None:
            raise BenchError("a worker ended without a result")
        if one.row is not None and one.row["status"] != "ok":
            bench.lab.check()
        return one.planned, one.row


def _take(bench: Bench, boards: Boards, meter: EnergyMeter | None, job: Job) -> dict[str, Any]:
    planned = job.planned
    label = int(bench.images.labels[planned.image])
    board: Board = boards.get(job.kind)
    try:
        board.for_sample()
        picture, services = bench.images.picture(planned.image), bench.lab.services
        if meter is None:
            row = measure(board, planned, picture, label, link=job.link, pinned_ms=job.pinned_ms, services=services)
        else:
            row = measure_with_energy(
                meter, board, planned, picture, label, link=job.link, pinned_ms=job.pinned_ms, services=services
            )
        if bench.certified and job.link is not None and (certificate := board.testbed.link.certificate):
            bench.certified(planned.point.point_id, certificate)
        return _possible(row)
    except SampleFailed as e:
        if isinstance(e.__cause__, Cancelled):
            raise
        log.warning("%s, image %d failed: %s", planned.point.scheme, planned.image, e)
        board.state = min(board.state, State.FLASHED)  # comes back through reset before its next sample
        return failed(planned, label, str(e))


def _possible(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a sample. Raises BenchFailed for one with a value that no column takes: NaN, infinite, another
    type.
    """
    try:
        return checked(row)
    except ValueError as e:
        raise BenchFailed(f"the sample holds what can not be: {e}") from e
