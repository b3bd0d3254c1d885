"""Shows the progress of a sweep of short trainings: which point, which phase, how much time is left."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from harness.training.report import figures


class PointsReport:
    """Reports to `Trials`: a bar on a terminal, one line a finished point anywhere. Use it as a context manager."""

    def __init__(self, console: Console, points: int) -> None:
        self._console = console
        self._points, self._done, self._trained = points, 0, 0
        self._began = time.monotonic()
        self._steps = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._point = ""

    def __enter__(self) -> PointsReport:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def point(self, text: str) -> None:
        """Note that a point begins."""
        self._point = text

    def finished(self, text: str, *, trained: bool) -> None:
        """Note that the point is done; `trained` is False when its row was there already."""
        self._done += 1
        self._trained += trained
        left = self._points - self._done
        told = ""
        if trained and left:
            each_s = (time.monotonic() - self._began) / self._trained
            told = f"  (at most {max(1, round(left * each_s / 60))} min left)"
        self._console.print(f"[{self._done}/{self._points}] {text}{told}", markup=False)

    def begin(self, title: str, epochs: int, steps: int, first_epoch: int) -> None:
        """Note that a phase of a training begins."""
        self._steps = steps
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(
            f"{self._point}: {title}", total=epochs * steps, completed=first_epoch * steps, figures=""
        )

    def step(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        """Note that a step is done."""
        if self._task is None:
            return
        done = (epoch - 1) * self._steps + step
        if metrics:
            self._progress.update(self._task, completed=done, figures=figures(metrics, validation=False))
        else:
            self._progress.update(self._task, completed=done)

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Note that an epoch is done."""

    def message(self, text: str) -> None:
        """Show nothing: the choice of channels is the same for most points."""
