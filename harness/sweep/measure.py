"""Taking the samples of a sweep with a journal, a progress bar, and an end that keeps what was finished."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from harness import accuracy, journal
from harness.contracts.errors import BenchError
from harness.images import Images
from harness.journal import Journal
from harness.sample import Planned
from harness.store import Store, now_text
from harness.sweep import prepare
from harness.sweep.axes import Axis
from harness.sweep.prepare import Ground
from harness.sweep.runner import Bench, Job, run
from harness.tables import Accuracy

log = logging.getLogger(__name__)

# What must be equal before a stopped run may be gone on with.
_SAME = ("axis", "seed", "images", "dataset", "testbed", "link", "schemes", "order", "energy")


@dataclass(frozen=True)
class Shown:
    """How the samples are spoken of on the screen."""

    console: Console
    axis: Axis
    titles: Mapping[str, str]

    def progress(self, total: int, done: int) -> Bar:
        """A progress bar for `total` samples of which `done` are there."""
        return Bar(self, total, done)


class Bar:
    """What is being measured, how many are done, how long it will take."""

    def __init__(self, shown: Shown, total: int, done: int) -> None:
        self._shown = shown
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=shown.console,
            transient=True,
        )
        self._task = self._progress.add_task("bringing up boards", total=total, completed=done)
        self._plain = not shown.console.is_terminal

    def started(self, planned: Planned) -> None:
        """A sample begins. Called from the workers' threads; rich locks for itself."""
        value = self._shown.axis.show(getattr(planned.point, self._shown.axis.column))
        title = self._shown.titles[planned.point.scheme]
        what = f"{title} at {value}, {'warm-up' if planned.warmup else 'image'} {planned.image}"
        self._progress.update(self._task, description=what.ljust(48))

    def advance(self) -> None:
        """A sample is finished. Where there is no bar (a log file), a line for every tenth of the way."""
        self._progress.advance(self._task)
        task = self._progress.tasks[0]
        done, total = int(task.completed), int(task.total or 1)
        if self._plain and done * 10 // total != (done - 1) * 10 // total:
            self._shown.console.print(f"{done} of {total} samples", style="dim")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def take(
    store: Store, manifest: dict[str, Any], jobs: Sequence[Job], bench: Bench, *, workers: int, shown: Shown
) -> None:
    """Take all samples that the journal lacks. Whatever ends this, samples.csv and the manifest are written.

    Raises:
        BenchError: broker, edge or board gone for good, or another run's folder.
    """
    finished = _finished(store, manifest)
    left = [job for job in jobs if job.planned.key not in finished]
    store.write_manifest(manifest)
    status = "stopped"
    with closing(Journal(store.folder)) as kept:
        try:
            _take(bench, left, workers, kept, shown.progress(len(jobs), done=len(jobs) - len(left)))
            status = "finished"
        finally:
            store.write_samples()
            store.write_manifest(manifest | {"status": status, "ended_at": now_text()})


def accuracies(ground: Ground, data: Images, console: Console) -> dict[str, Accuracy]:
    """Accuracy of every scheme over the whole test set, from the cache where it was measured before."""
    found = {}
    for name, artefact in ground.artefacts.items():
        library = prepare.library(artefact)
        measured = accuracy.cached(artefact, library, data)
        if measured is None:
            with console.status(f"accuracy of {name} over the whole test set (once, then cached)"):
                measured = accuracy.measured_apart(artefact, library, data)
        found[name] = Accuracy(measured.right, measured.n)
    return found


def note_accuracies(store: Store, found: Mapping[str, Accuracy]) -> None:
    """Add the accuracies to the manifest."""
    manifest = store.manifest()
    manifest["accuracy"] = {name: {"right": a.right, "n": a.n, "share": a.share} for name, a in found.items()}
    store.write_manifest(manifest)


def _finished(store: Store, manifest: dict[str, Any]) -> set[str]:
    rows = journal.read(store.folder)
    if not rows and not (store.folder / "manifest.json").exists():
        return set()
    earlier = store.manifest()
    now = json.loads(json.dumps(manifest))
    if (earlier.get("pinned") or {}).get("remote_ms") != (now["pinned"] or {}).get("remote_ms"):
        raise BenchError(f"{store.folder} was measured with other pinned remote times", cure="give its --remote-ms")
    for key in _SAME:
        if now.get(key) != earlier.get(key):
            raise BenchError(
                f"{store.folder} was measured with another '{key}'", cure="resume with the same options, or start anew"
            )
    return {key for key, row in rows.items() if row["status"] == "ok"}


def _take(bench: Bench, jobs: Sequence[Job], workers: int, kept: Journal, bar: Bar) -> None:
    with bar, closing(run(bench, jobs, workers, bar.started)) as samples:
        for planned, row in samples:
            kept.append(planned.key, row)
            bar.advance()
