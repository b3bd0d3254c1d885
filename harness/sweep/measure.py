"""Takes the samples of a sweep with a journal, a progress bar, and an end that keeps what was finished."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from harness.analysis.cells import Accuracy
from harness.artefacts import accuracy
from harness.artefacts.images import Images
from harness.contracts.errors import BenchError
from harness.host.progress import doing
from harness.measure.axes import Axis
from harness.runs import certificates, journal
from harness.runs.journal import Journal
from harness.runs.manifest import MANIFEST
from harness.runs.manifest import checked as checked_manifest
from harness.runs.sample import Planned, checked
from harness.runs.store import PARQUET, Store, now_text
from harness.sweep import prepare, resume
from harness.sweep.prepare import Ground
from harness.sweep.repeat import Enough, Procedure
from harness.sweep.runner import Job, Pool, Watcher

log = logging.getLogger(__name__)

_MOST_SAID = 60  # characters of a fact; what is longer is only named
# What must be equal before a stopped run may be gone on with.
_SAME = ("axis", "seed", "images", "dataset", "testbed", "link", "schemes", "order", "energy")


@dataclass(frozen=True)
class Shown:
    """Says how the samples are spoken of on the screen."""

    console: Console
    axis: Axis
    titles: Mapping[str, str]

    def progress(self, total: int, done: int) -> Bar:
        """Return a progress bar for `total` samples of which `done` are there."""
        return Bar(self, total, done)


class Bar:
    """Shows what is being measured, how many samples are done, and how long the rest will take."""

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
        """Show that a sample begins. Workers call this from their threads; rich locks for itself."""
        value = self._shown.axis.show(getattr(planned.point, self._shown.axis.column))
        title = self._shown.titles[planned.point.scheme]
        what = f"{title} at {value}, {'warm-up' if planned.warmup else 'image'} {planned.image}"
        self._progress.update(self._task, description=what.ljust(48))

    def advance(self, *, taken: bool = True) -> None:
        """Count a sample that is finished, or was not wanted. Where there is no bar (a log file), write a line for
        every tenth.
        """
        task = self._progress.tasks[0]
        if not taken:
            self._progress.update(self._task, total=(task.total or 1) - 1)
            return
        self._progress.advance(self._task)
        done, total = int(task.completed), int(task.total or 1)
        if self._plain and done * 10 // total != (done - 1) * 10 // total:
            self._shown.console.print(f"{done} of {total} samples", style="dim")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


class Keeper(Watcher):
    """Puts every finished sample into the journal before its worker begins the next, and knows when it is enough."""

    def __init__(self, kept: Journal, enough: Enough, bar: Bar) -> None:
        self._kept = kept
        self._enough = enough
        self._bar = bar

    def wants(self, planned: Planned) -> bool:
        """Say whether the procedure still wants this sample."""
        return self._enough.wants(planned)

    def started(self, planned: Planned) -> None:
        """Show that the sample begins."""
        self._bar.started(planned)

    def finished(self, planned: Planned, row: dict[str, Any]) -> None:
        """Keep the sample and count it."""
        self._kept.append(planned.key, checked(row))
        self._enough.note(row)


def take(
    store: Store,
    manifest: dict[str, Any],
    jobs: Sequence[Job],
    pool: Pool,
    *,
    shown: Shown,
    procedure: Procedure | None = None,
) -> None:
    """Have `pool` take all samples that the journal lacks. Whatever ends this, samples and manifest are written.

    Raises:
        BenchError: broker, edge or board gone for good, another run's folder, or a damaged one: nothing is overwritten.
    """
    manifest, earlier = _gone_on_with(store, manifest)
    finished = {key: row for key, row in earlier.items() if row["status"] == "ok"}
    left = [job for job in jobs if job.planned.key not in finished]
    store.write_manifest(manifest)
    status = "stopped"
    enough = Enough(procedure or Procedure(), finished.values())
    with closing(Journal(store.folder)) as kept:
        try:
            bar = shown.progress(len(jobs), done=len(jobs) - len(left))
            with bar, closing(pool(left, Keeper(kept, enough, bar))) as samples:
                for _, row in samples:
                    bar.advance(taken=row is not None)
            status = "finished"
        except BenchError as e:
            e.and_then(f"go on with --resume {store.folder}")
            raise
        finally:
            store.write_samples()
            ended = {"status": status, "ended_at": now_text(), "link_certificates": certificates.summaries(store)}
            store.write_manifest(manifest | ended)


def accuracies(
    ground: Ground, data: Images, console: Console, schemes: Iterable[str] | None = None
) -> dict[str, Accuracy]:
    """Return the accuracy of every scheme (or of some) over the whole test set, from the cache where it was measured
    before.
    """
    found = {}
    for name in ground.artefacts if schemes is None else schemes:
        artefact = ground.artefacts[name]
        library = prepare.library(artefact)
        measured = accuracy.cached(artefact, library, data)
        if measured is None:
            what = f"accuracy of {name}, pictures through its halves (once, then cached)"
            with doing(console, what, total=len(data)) as shown:
                measured = accuracy.measured_apart(artefact, library, data, shown.at)
        found[name] = Accuracy(measured.right, measured.n, measured.exited, measured.payloads, measured.answers)
    return found


def note_accuracies(store: Store, found: Mapping[str, Accuracy]) -> None:
    """Add the accuracies to the manifest."""
    manifest = store.manifest()
    manifest["accuracy"] = accuracy_facts(found)
    store.write_manifest(manifest)


def accuracy_facts(found: Mapping[str, Accuracy]) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of accuracies."""
    return {
        name: {
            **{"right": a.right, "n": a.n, "share": a.share, "exited": a.exited},
            **{"payloads": a.payloads, "answers": a.answers},
        }
        for name, a in found.items()
    }


def check_resumable(folder: Path) -> None:
    """Check that there is a run that can be gone on with. This is asked before anything takes time.

    Raises:
        BenchError: manifest or journal are missing, damaged, or of another bench.
    """
    store = Store.reopen(folder)
    if store.facts().kind != "sweep":
        raise BenchError(f"{folder} holds no sweep", cure="give the folder of one")
    if not (folder / journal.NAME).exists() and (folder / PARQUET).exists():
        raise BenchError(f"{folder} has samples but no {journal.NAME}", cure="restore it, or start a new run")
    store.rows()


def _said(key: str, value: Any) -> str:
    """Return a fact of a manifest in a few words."""
    text = json.dumps(value, ensure_ascii=False)
    return f"{key} {text}" if len(text) <= _MOST_SAID else f"another {key}"


def _gone_on_with(store: Store, manifest: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the manifest with what an earlier start of the same run has told, and its rows by key."""
    if not (store.folder / MANIFEST).exists() and not (store.folder / journal.NAME).exists():
        return manifest, {}
    earlier = store.manifest()
    now = checked_manifest(json.loads(json.dumps(manifest)), str(store.folder / MANIFEST))
    if (earlier["pinned"] or {}).get("remote_ms") != (now["pinned"] or {}).get("remote_ms"):
        raise BenchError(
            f"{store.folder} was measured with other pinned remote times",
            cure=f"go on with it as it was started: {resume.command(store.folder)}",
        )
    for key in _SAME:
        if now[key] != earlier[key]:
            raise BenchError(
                f"{store.folder} was measured with {_said(key, earlier[key])}, now it would be with "
                f"{_said(key, now[key])}",
                cure=f"go on with it as it was started: {resume.command(store.folder)}",
            )
    if earlier["procedure"] and any(
        earlier["procedure"][k] != now["procedure"][k] for k in ("repeat_until", "max_samples")
    ):
        raise BenchError(
            f"{store.folder} was measured with another --repeat-until or --max-samples",
            cure=f"go on with it as it was started: {resume.command(store.folder)}",
        )
    told = {"began_at": earlier["began_at"], "resumed_at": [*earlier["resumed_at"], now["began_at"]]}
    return manifest | told | {"accuracy": earlier["accuracy"]}, store.rows_by_key()
