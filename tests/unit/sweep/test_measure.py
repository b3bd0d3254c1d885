"""Taking a sweep's samples: kept at once, failed ones taken again, an earlier start gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import BenchError
from harness.device.stand_in import StandInTestbed
from harness.host import cli
from harness.measure import axes
from harness.runs import journal
from harness.runs.certificates import Kept
from harness.runs.store import Store
from harness.sweep import measure
from harness.sweep.measure import Shown
from harness.sweep.repeat import Procedure
from harness.sweep.runner import Job, here

from ...support import runs
from ...support.benches import make_jobs

TITLES = {"near": "Near", "far": "Far"}


def _take(folder: Path, bench: Any, jobs: list[Job], until: Procedure | None = None, **more: Any) -> Store:
    store = Store(folder) if folder.exists() else Store.create(folder)
    told = runs.manifest(status="running", order=[job.planned.key for job in jobs], **more)
    shown = Shown(cli.console(stderr=True), axes.axis("bandwidth"), TITLES)
    measure.take(store, told, jobs, here(bench, 1), shown=shown, procedure=until)
    return store


def test_what_failed_is_taken_again_and_nothing_else(tmp_path: Path, make_bench: Callable[..., Any]) -> None:
    spoiled: list[StandInTestbed] = []

    def fails_once(testbed: StandInTestbed) -> None:
        if testbed.device.artefact.description.scheme == "far" and not spoiled:
            spoiled.append(testbed)
            testbed.device.faults.extend([None] * 4 + ["nak"])  # HELLO CONFIG CONNECT STATS, then LOAD fails

    jobs = make_jobs([0, 1])
    bench, _ = make_bench(fails_once)
    store = _take(tmp_path / "run", bench, jobs)
    lines = (store.folder / journal.NAME).read_bytes().count(b"\n")
    failed = [r for r in store.rows() if r["status"] == "failed"]
    assert (lines, len(failed)) == (len(jobs), 1)
    assert store.facts().status == "finished"

    measure.check_resumable(store.folder)
    bench, _ = make_bench()
    store = _take(tmp_path / "run", bench, jobs, began_at="2026-02-02T00:00:00+00:00")
    assert (store.folder / journal.NAME).read_bytes().count(b"\n") == len(jobs) + 1
    assert {r["status"] for r in store.rows()} == {"ok"}
    assert len(store.rows()) == len(jobs)
    facts = store.facts()
    assert (facts.began_at, facts.resumed_at) == ("2026-01-01T00:00:00+00:00", ["2026-02-02T00:00:00+00:00"])

    whole_bench, _ = make_bench()
    whole = _take(tmp_path / "whole", whole_bench, jobs)
    assert whole.rows() == store.rows()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"seed": 1}, "with seed 0, now it would be with seed 1"),
        ({"images": [9]}, r"with images \[3\], now it would be with images \[9\]"),
        (
            {"procedure": {"repeat_until": 0.01, "max_samples": 9, "deadline_ms": None}},
            "another --repeat-until or --max-samples",
        ),
        ({"pinned": {"file": "f", "sha256": "0", "remote_ms": {"far": 9.0}}}, "other pinned remote times"),
    ],
)
def test_another_run_is_not_gone_on_with(
    more: dict[str, Any], told: str, tmp_path: Path, make_bench: Callable[..., Any]
) -> None:
    jobs = make_jobs([0])
    procedure = {"repeat_until": 0.05, "max_samples": 9, "deadline_ms": None}
    store = _take(tmp_path / "run", make_bench()[0], jobs, procedure=procedure)
    before = {p.name: p.read_bytes() for p in store.folder.iterdir()}
    with pytest.raises(BenchError, match=told):
        _take(tmp_path / "run", make_bench()[0], jobs, **({"procedure": procedure} | more))
    assert {p.name: p.read_bytes() for p in store.folder.iterdir()} == before


def test_a_disk_that_is_full_ends_the_run_and_keeps_what_is_there(
    tmp_path: Path, make_bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, made = make_bench()
    kept: list[str] = []
    append = journal.Journal.append

    def full_after_three(self: journal.Journal, key: str, row: dict[str, Any]) -> None:
        if len(kept) == 3:
            raise BenchError("the journal can't be written (No space left on device)")
        append(self, key, row)
        kept.append(key)

    monkeypatch.setattr(journal.Journal, "append", full_after_three)
    with pytest.raises(BenchError, match="No space left"):
        _take(tmp_path / "run", bench, make_jobs([0, 1]))
    store = Store(tmp_path / "run")
    assert len(store.rows()) == 3
    assert store.facts().status == "stopped"
    assert all(testbed.steps[-1] == "close" for testbed in made)


def test_steady_points_get_no_further_images(tmp_path: Path, make_bench: Callable[..., Any]) -> None:
    """The stand-in's times differ by less than a thousandth from picture to picture for the scheme that stays near."""
    jobs = make_jobs(list(range(6)), extra=[6, 7, 8, 9])
    store = _take(tmp_path / "run", make_bench()[0], jobs, Procedure(repeat_until=0.01, max_samples=10))
    taken = [(r["scheme"], r["image"]) for r in store.rows() if not r["warmup"]]
    assert sum(scheme == "near" for scheme, _ in taken) == 2 * 6
    assert sum(scheme == "far" for scheme, _ in taken) > 2 * 6


def test_what_was_measured_of_the_link_stands_in_the_manifest(tmp_path: Path, make_bench: Callable[..., Any]) -> None:
    store = Store.create(tmp_path / "run")
    jobs = make_jobs([0])
    point = jobs[0].planned.point.point_id
    Kept(store).note(point, runs.certificate())
    _take(tmp_path / "run", make_bench()[0], jobs)
    (told,) = store.facts().link_certificates
    assert (told["point_id"], told["verdict"], told["rate_up_bps"]) == (point, "ok", 6e6)
    assert (told["probes"], told["probes_right"], told["delay_down_ms"]) == (1, 1, 2.0)
