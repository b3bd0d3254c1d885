"""Takes the samples of a plan on one or several boards, and hands every finished row to the caller at once.

Each worker is a thread with boards of its own; the boards are processes of their own, so the threads only wait. Rows
do not depend on how many workers there are, nor on who takes which sample.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.artefacts.artefacts import Artefact
from harness.artefacts.images import Images
from harness.contracts.errors import BenchFailed, SampleFailed
from harness.contracts.link import Certificate
from harness.contracts.testbed import Testbed
from harness.device.boardlog import Logs
from harness.device.bringup import Board, BoardGone
from harness.device.device import Cancelled
from harness.lab.lab import Boards, Lab
from harness.measure import again
from harness.measure.inference import measure
from harness.measure.inference_energy import measure_with_energy
from harness.power.sampling import EnergyMeter
from harness.runs.sample import Planned, failed
from harness.sweep.job import Job
from harness.sweep.work import Work

__all__ = ["MOST_LOST", "Bench", "Done", "Job", "Watcher", "run"]

log = logging.getLogger(__name__)

MOST_LOST = 3  # samples that a board loses to the bench one after another before it is set aside
_LEAVE_S = 15.0  # for workers to give their boards back


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

    def lost(self, planned: Planned, why: str) -> None:
        """Note that a sample was lost to the bench and is taken again."""

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
    cancelled = threading.Event()
    count = min(workers, len(jobs))
    crew = _Crew(bench, watcher, Work(jobs, cancelled), queue.SimpleQueue(), cancelled)
    threads = [threading.Thread(target=crew.serve, args=(i,), name=f"worker-{i}", daemon=True) for i in range(count)]
    left, serving = len(jobs), count
    try:
        for thread in threads:
            thread.start()
        while left and serving:
            one = _next(bench, crew.done)
            if one.planned is None:
                serving -= 1
                continue
            left -= 1
            yield one.planned, one.row
    finally:
        cancelled.set()
        for thread in threads:
            thread.join(_LEAVE_S)
    if left:
        raise crew.work.not_taken()


class _Crew:
    """Serves as the workers of one run; each calls `serve` in a thread of its own."""

    def __init__(
        self,
        bench: Bench,
        watcher: Watcher,
        work: Work,
        done: queue.SimpleQueue[Done],
        cancelled: threading.Event,
    ) -> None:
        self.work, self.done = work, done
        self._bench, self._watcher, self._cancelled = bench, watcher, cancelled
        self._numbers = itertools.count()  # of boards; `next` on it is atomic

    def serve(self, worker: int) -> None:
        """Take jobs until there are none. What ends it before is handed to the main thread, which raises it."""
        bench = self._bench
        boards = Boards(
            bench.lab,
            bench.make,
            bench.artefacts,
            bench.firmware,
            numbers=self._numbers,
            cancelled=self._cancelled,
            logs=bench.logs,
        )
        meter: EnergyMeter | None = None
        try:
            boards.meter = meter = bench.meter() if bench.meter else None
            while (job := self.work.next(worker)) is not None:
                if self._watcher.wants(job.planned):
                    self._watcher.started(job.planned)
                    self._one(worker, boards, meter, job)
                else:
                    self.done.put(Done(job.planned, None))
        except BaseException as e:
            self.done.put(Done(None, None, e))
        else:
            self.done.put(Done(None, None))
        finally:
            if meter is not None:
                meter.close()
            boards.close()

    def _one(self, worker: int, boards: Boards, meter: EnergyMeter | None, job: Job) -> None:
        """Take one sample; a board that is of no more use is set aside, and the job goes back."""
        board = boards.get(job.kind)
        try:
            row = _take(self._bench, board, meter, job, lambda why: self._watcher.lost(job.planned, why))
        except BoardGone as e:
            if not self.work.any_ready:  # what ails the first board ails them all
                raise e.__cause__ or e from None
            self._set_aside(worker, boards, job, e, taken=False)
            return
        self.work.any_ready = True
        self._watcher.finished(job.planned, row)
        if board.lost_samples >= MOST_LOST:
            self._set_aside(worker, boards, job, BoardGone(str(row["error"])), taken=True)
        self.done.put(Done(job.planned, row))

    def _set_aside(self, worker: int, boards: Boards, job: Job, why: BoardGone, *, taken: bool) -> None:
        name = boards.get(job.kind).name
        log.warning("board %s is set aside, as it fails again and again: %s", name, why.what)
        boards.drop(job.kind)
        self.work.set_aside(worker, job, name, why, taken=taken)


def _next(bench: Bench, done: queue.SimpleQueue[Done]) -> Done:
    while True:
        try:
            one = done.get(timeout=0.5)
        except queue.Empty:
            bench.lab.check()
            continue
        if one.error is not None:
            bench.lab.check()  # a dead broker explains a failed board better than the board does
            raise one.error
        if one.row is not None and one.row["status"] != "ok":
            bench.lab.check()
        return one


def _take(
    bench: Bench, board: Board, meter: EnergyMeter | None, job: Job, lost: Callable[[str], None]
) -> dict[str, Any]:
    """Take a sample; the row of one that failed too. Raises BoardGone when the board can't be made ready."""
    planned = job.planned
    label = int(bench.images.labels[planned.image])
    picture, services = bench.images.picture(planned.image), bench.lab.services

    def once() -> dict[str, Any]:
        if meter is None:
            return measure(board, planned, picture, label, link=job.link, pinned_ms=job.pinned_ms, services=services)
        return measure_with_energy(
            meter, board, planned, picture, label, link=job.link, pinned_ms=job.pinned_ms, services=services
        )

    try:
        row = again.taken(board, f"{planned.point.scheme}, image {planned.image}", once, lost)
    except SampleFailed as e:
        if isinstance(e.__cause__, Cancelled):
            raise
        log.warning("%s, image %d failed: %s", planned.point.scheme, planned.image, e)
        board.lost()  # comes back through reset before its next sample
        board.lost_samples = board.lost_samples + 1 if isinstance(e, BenchFailed) else 0
        return failed(planned, label, str(e))
    board.lost_samples = 0
    if bench.certified and job.link is not None and (certificate := board.testbed.link.certificate):
        bench.certified(planned.point.point_id, certificate)
    return row
