"""Keeps a session of `pytest --testbed X`: a run in the store of the sweeps, and how it compares with another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from harness.analysis.digits import significant
from harness.contracts.errors import BenchError
from harness.contracts.link import Certificate
from harness.doctor.examine import attached
from harness.doctor.report import Report
from harness.runs.certificates import Kept, summaries
from harness.runs.journal import Journal
from harness.runs.measurements import METRICS
from harness.runs.sample import Planned, checked
from harness.runs.store import Store, now_text

if TYPE_CHECKING:
    from harness.analysis.comparison.runs import Line

SAVED = Path("results") / "saved"
RUNS = Path("results") / "runs"
COMPARED = ("total_ms", "energy_uj", "wire_bytes", "device_cycles")


class SessionRecord:
    """Holds the run of one session, begun with its first sample: a session that measures nothing leaves nothing."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any], report: Report | None = None) -> None:
        self.folder = folder
        self._manifest = dict(manifest)
        self._report = report  # the doctor's, put beside the samples
        self._store: Store | None = None
        self._journal: Journal | None = None
        self._links: Kept | None = None

    def keep(self, planned: Planned, row: dict[str, Any], certificate: Certificate | None = None) -> None:
        """Keep a sample, with what was measured of the link it was taken over; it is on disk when this returns.

        Raises:
            BenchError: it can't be written.
        """
        if self._journal is None:
            self._store = Store.create(self.folder)
            if self._report is not None:
                self._manifest["doctor"] = attached(self._store, self._report)
            self._store.write_manifest(self._manifest)
            self._journal = Journal(self.folder)
            self._links = Kept(self._store)
        self._journal.append(planned.key, checked(row))
        if certificate is not None and self._links is not None:
            self._links.note(planned.point.point_id, certificate)

    def __enter__(self) -> SessionRecord:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store is None or self._journal is None:
            return
        self._journal.close()
        self._store.write_samples()
        status = "finished" if kind is None else "stopped"
        ended = {"status": status, "ended_at": now_text(), "link_certificates": summaries(self._store)}
        self._store.write_manifest(self._manifest | ended)


def saved_folder(name: str, root: Path) -> Path:
    """Return where `--save NAME` goes.

    Raises:
        BenchError: no name for a folder, or it is taken: a saved run is never replaced.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise BenchError(f"--save '{name[:70]}' is no name", cure="use letters, digits, dots, dashes and underscores")
    folder = root / SAVED / name
    if folder.exists():
        raise BenchError(f"{folder} is there already", cure="save under another name")
    Store.check_new(folder)
    return folder


def found_run(name: str, root: Path) -> Path:
    """Return the folder of `--compare NAME|RUN`: a saved run's name, or a run's folder.

    Raises:
        BenchError: there is no run, or it is damaged.
    """
    folder = next((p for p in (root / SAVED / name, root / name, Path(name)) if p.is_dir()), None)
    if folder is None:
        saved = sorted(p.name for p in (root / SAVED).glob("*") if p.is_dir())
        known = f"saved are {', '.join(saved)}" if saved else "none is saved yet"
        raise BenchError(f"--compare: no run '{name}'", cure=f"give the folder of a run, or a saved name ({known})")
    store = Store.reopen(folder)
    store.facts()
    if not store.rows():
        raise BenchError(f"--compare: {folder} has no samples", cure="give another run")
    return folder


def compared(base: Path, other: Path, minimum_share: float) -> tuple[list[Line], list[str]]:
    """Compare the session's run with an earlier one, point by point: a line a metric, and what differs in their
    settings.

    Raises:
        BenchError: the runs have no point in common.
    """
    from harness.analysis.comparison import runs  # noqa: PLC0415 - draws in what figures stand on
    from harness.analysis.datum import read_run  # noqa: PLC0415

    first, second = read_run(base), read_run(other)
    differs = runs.comparable(first, second)
    lines = runs.compare(first, second, COMPARED, minimum_share)
    if not lines:
        raise BenchError(
            f"{base} has no point of this session", cure="compare with a run of these schemes at this --rate"
        )
    return lines, differs


def text(line: Line) -> str:
    """Return a line as people read it: `agilenn total_ms: 13.52 -> 14.80 ms, +9.5 % [+1.20, +1.36] (n 10): slower`."""
    metric, apart = METRICS[line.metric], line.difference
    share = "" if apart.share is None else f", {100 * apart.share:+.1f} %"
    interval = (
        ""
        if apart.low is None or apart.high is None
        else f" [{significant(apart.low, signed=True)}, {significant(apart.high, signed=True)}]"
    )
    verdict = {"higher": "worse", "lower": "better"}.get(line.verdict, line.verdict)
    if metric.unit == "ms":
        verdict = {"worse": "slower", "better": "faster"}.get(verdict, verdict)
    shown = f"{metric.show(apart.base)} -> {metric.show(apart.other)} {metric.unit}{share}{interval}"
    return f"{line.scheme} {line.metric}: {shown} (n {apart.n}): {verdict}"


def verdict_text(lines: Sequence[Line], minimum_share: float) -> str:
    """Return the last line of a comparison."""
    worse = sum(line.worse for line in lines)
    few = " (n too small for some: ask for more --hil-images)" if any(x.verdict == "n too small" for x in lines) else ""
    return (
        f"{worse} of {len(lines)} are worse: significant (95 % interval without 0) and at least "
        f"{100 * minimum_share:g} %{few}"
    )
