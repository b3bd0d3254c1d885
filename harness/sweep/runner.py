"""Takes the samples of a plan on one or several boards, and hands every finished row to the caller at once.

Each worker is a thread with boards of its own; the boards are processes of their own, so the threads only wait. Rows
do not depend on how many workers there are, nor on who takes which sample.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.device.bringup import BoardGone
from harness.runs.sample import Planned
from harness.sweep.job import Job
from harness.sweep.stand import Bench, Stand
from harness.sweep.work import Work

__all__ = ["MOST_LOST", "Bench", "Done", "Job", "Pool", "Rows", "Watcher", "here", "run"]

log = logging.getLogger(__name__)

MOST_LOST = 3  # samples that a board loses to the bench one after another before it is set aside
_LEAVE_S = 15.0  # for workers to give their boards back


@dataclass(frozen=True)
class Done:
    """Holds a finished sample, or what ended a worker."""

    planned: Planned | None
    row: dict[str, Any] | None
    error: BaseException | None = None


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


Rows = Generator[tuple[Planned, dict[str, Any] | None], None, None]
Pool = Callable[[Sequence[Job], Watcher], Rows]  # takes samples: `here`, or on workers elsewhere (`sweep.afar`)


def here(bench: Bench, workers: int) -> Pool:
    """Return what takes samples on this machine, with `workers` boards of a kind at once."""
    return lambda jobs, watcher: run(bench, jobs, workers, watcher)


def run(bench: Bench, jobs: Sequence[Job], workers: int, watcher: Watcher) -> Rows:
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
        stand: Stand | None = None
        try:
            stand = Stand(self._bench, self._numbers, self._cancelled)
            while (job := self.work.next(worker)) is not None:
                if self._watcher.wants(job.planned):
                    self._watcher.started(job.planned)
                    self._one(worker, stand, job)
                else:
                    self.done.put(Done(job.planned, None))
        except BaseException as e:
            self.done.put(Done(None, None, e))
        else:
            self.done.put(Done(None, None))
        finally:
            if stand is not None:
                stand.close()

    def _one(self, worker: int, stand: Stand, job: Job) -> None:
        """Take one sample; a board that is of no more use is set aside, and the job goes back."""
        try:
            row = stand.take(job, lambda why: self._watcher.lost(job.planned, why))
        except BoardGone as e:
            if not self.work.any_ready:  # what ails the first board ails them all
                raise e.__cause__ or e from None
            self._set_aside(worker, stand, job, e, taken=False)
            return
        self.work.any_ready = True
        self._watcher.finished(job.planned, row)
        if stand.board(job.kind).lost_samples >= MOST_LOST:
            self._set_aside(worker, stand, job, BoardGone(str(row["error"])), taken=True)
        self.done.put(Done(job.planned, row))

    def _set_aside(self, worker: int, stand: Stand, job: Job, why: BoardGone, *, taken: bool) -> None:
        name = stand.board(job.kind).name
        log.warning("board %s is set aside, as it fails again and again: %s", name, why.what)
        stand.drop(job.kind)
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
