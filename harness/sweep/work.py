"""Hands the jobs of a run out to its workers. A worker's board that fails again and again is set aside: it gets no more
jobs, and others take them over.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from harness.contracts.errors import BenchError
from harness.lab.lab import BoardKind
from harness.sweep.job import Job

_LOOK_S = 0.5  # how soon a waiting worker notices that the run is being stopped


class Work:
    """Holds the jobs that are left. The threads of all workers use it."""

    def __init__(self, jobs: Sequence[Job], cancelled: threading.Event) -> None:
        self._left = deque(jobs)
        self._held: dict[int, Job] = {}  # worker -> what it is at
        self._aside: set[tuple[int, BoardKind]] = set()
        self._cancelled = cancelled
        self._news = threading.Condition()
        self._why: dict[str, str] = {}  # name of a board that was set aside -> why
        self.any_ready = False  # was any board of this run ever ready?

    def next(self, worker: int) -> Job | None:
        """Return the next job for `worker`; None when there is none for it, and none can come back from another."""
        with self._news:
            self._held.pop(worker, None)
            self._news.notify_all()
            while not self._cancelled.is_set():
                for job in self._left:
                    if (worker, job.kind) not in self._aside:
                        self._left.remove(job)
                        self._held[worker] = job
                        return job
                if all((worker, job.kind) in self._aside for job in self._held.values()):
                    return None
                self._news.wait(_LOOK_S)
            return None

    def set_aside(self, worker: int, job: Job, board: str, why: BenchError, *, taken: bool) -> None:
        """Give `worker` no more jobs of the kind of `job`.

        Args:
            board: its name.
            taken: the job itself has its row; else it goes back.
        """
        with self._news:
            self._aside.add((worker, job.kind))
            self._why[board] = why.what
            if not taken:
                self._left.appendleft(job)
            self._held.pop(worker, None)
            self._news.notify_all()

    def not_taken(self) -> BenchError:
        """Return what to say of the jobs that no board is left for."""
        with self._news:
            schemes = ", ".join(dict.fromkeys(job.kind.scheme for job in self._left))
            boards = "; ".join(f"{board}: {why}" for board, why in self._why.items())
            return BenchError(
                f"{len(self._left)} samples of {schemes} are not taken, as boards were set aside ({boards})",
                cure="mend them",
            )
