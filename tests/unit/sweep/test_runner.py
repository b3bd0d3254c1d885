"""Samples are taken, failures kept, and rows do not depend on the number of workers."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.contracts.errors import BenchError, BenchFailed
from harness.contracts.link import LinkSpec
from harness.device import bringup
from harness.device.stand_in import StandInTestbed
from harness.measure import again, inference
from harness.runs.sample import COLUMNS, Planned
from harness.sweep.runner import MOST_LOST, Watcher, run

from ...support.benches import StubBroker, make_jobs, rows_of


def test_rows_are_the_same_with_one_worker_and_with_three(make_bench: Callable[..., Any]) -> None:
    bench, made = make_bench()
    one = rows_of(bench, make_jobs([0, 1, 2, 3]), 1)
    assert len(made) == 2
    three = rows_of(bench, make_jobs([0, 1, 2, 3]), 3)
    assert one == three
    assert all(testbed.steps[-1] == "close" for testbed in made)


def test_a_row_tells_stages_bytes_and_sources(make_bench: Callable[..., Any]) -> None:
    bench, _ = make_bench()
    rows = rows_of(bench, make_jobs([0]), 1)
    far = next(r for r in rows if r["scheme"] == "far" and not r["warmup"])
    near = next(r for r in rows if r["scheme"] == "near" and not r["warmup"])
    assert tuple(far) == COLUMNS
    assert far["remote_ms"] == 2.5
    assert far["remote_ms_source"] == "measured"  # on a host that the manifest names, and charged
    assert far["total_ms_source"] == "modelled"
    assert far["remote_wall_ms"] == pytest.approx(0.012)
    assert far["remote_wall_ms_source"] == "measured"
    assert far["wire_bytes"] == far["mqtt_bytes"] + 66
    link_ms = far["wire_bytes"] * 8e3 / far["rate_bps"]
    serial_ms = (far["payload_bytes"] + 40) * 1e4 / 4e6
    assert far["network_ms"] == pytest.approx(link_ms + serial_ms, abs=1e-4)
    stages = ("local_ms", "encode_ms", "network_ms", "remote_ms", "combine_ms")
    assert far["total_ms"] == pytest.approx(sum(far[s] for s in stages), abs=1e-5)
    assert (near["network_ms"], near["payload_bytes"], near["remote_wall_ms"], near["codec"]) == (0.0, 0, None, None)
    assert near["remote_wall_ms_source"] is None


def test_a_sample_is_kept_before_its_board_begins_the_next(make_bench: Callable[..., Any]) -> None:
    """So that a kill costs the sample in flight and no other; what is not wanted is not begun."""
    told: list[tuple[str, str]] = []

    class Heard(Watcher):
        def wants(self, planned: Planned) -> bool:
            return planned.image != 2

        def started(self, planned: Planned) -> None:
            told.append(("began", planned.key))

        def finished(self, planned: Planned, row: dict[str, Any]) -> None:
            assert row["status"] == "ok"
            told.append(("kept", planned.key))

    bench, _ = make_bench()
    jobs = make_jobs([0, 1, 2, 3])
    yielded = list(run(bench, jobs, 1, Heard()))
    assert [key for what, key in told if what == "kept"] == [j.planned.key for j in jobs if j.planned.image != 2]
    assert [what for what, _ in told] == ["began", "kept"] * (len(told) // 2)
    assert [planned.image for planned, row in yielded if row is None] == [2] * 4


def test_a_failed_sample_is_kept_and_the_next_one_works(make_bench: Callable[..., Any]) -> None:
    spoiled: list[StandInTestbed] = []

    def prepare(testbed: StandInTestbed) -> None:
        if testbed.device.artefact.description.scheme == "far" and not spoiled:
            spoiled.append(testbed)
            testbed.device.faults.extend([None] * 4 + ["nak"])  # HELLO CONFIG CONNECT STATS, then LOAD fails

    bench, _ = make_bench(prepare)
    rows = [r for r in rows_of(bench, make_jobs([0, 1]), 1) if r["scheme"] == "far"]
    assert [r["status"] for r in rows].count("failed") == 1
    failed = next(r for r in rows if r["status"] == "failed")
    assert "refused" in failed["error"]
    assert failed["total_ms"] is None
    assert spoiled[0].steps.count("reset") == 2


def test_a_wait_beyond_the_cycle_counter_is_a_failed_sample(make_bench: Callable[..., Any]) -> None:
    bench, _ = make_bench()
    jobs = [replace(job, link=LinkSpec.symmetric(100.0)) for job in make_jobs([0])]
    rows = rows_of(bench, jobs, 1)
    for row in rows:
        assert (row["status"], row["total_ms"] is None) == (
            ("failed", True) if row["scheme"] == "far" else ("ok", False)
        )
    assert "cycle counter" in next(r["error"] for r in rows if r["scheme"] == "far")


def test_a_board_that_never_comes_up_ends_the_run(make_bench: Callable[..., Any]) -> None:
    def prepare(testbed: StandInTestbed) -> None:
        testbed.device.faults.extend([None, "nak"])

    bench, made = make_bench(prepare)
    with pytest.raises(BenchError, match="refused request 0x02"):
        rows_of(bench, make_jobs([0]), 1)
    assert all(testbed.steps[-1] == "close" for testbed in made)


def test_a_dead_broker_is_the_error_that_is_told(make_bench: Callable[..., Any]) -> None:
    def prepare(testbed: StandInTestbed) -> None:
        testbed.device.faults.extend([None, "nak"])
        StubBroker.dead = True

    bench, _ = make_bench(prepare)
    try:
        with pytest.raises(BenchError, match=r"the broker .stub. died"):
            rows_of(bench, make_jobs([0]), 1)
    finally:
        StubBroker.dead = False


def test_boards_are_given_back_when_the_caller_stops(make_bench: Callable[..., Any]) -> None:
    bench, made = make_bench()
    samples = run(bench, make_jobs([0, 1, 2, 3, 4, 5]), 2, Watcher())
    next(samples)
    samples.close()
    assert made
    assert all(testbed.steps[-1] == "close" for testbed in made)


def _losing(board: StandInTestbed, scheme: str, times: int) -> None:
    """The board's process dies in the middle of the first `times` inferences of a scheme."""
    answered, left = board.device.inferred, [times]

    def inferred(prefix: str, sequence: int) -> None:
        if board.device.artefact.description.scheme == scheme and left[0]:
            left[0] -= 1
            raise BenchFailed("the board's process was killed by SIGKILL")
        answered(prefix, sequence)

    board.device.inferred = inferred


def test_a_sample_lost_to_the_bench_is_taken_again_and_its_row_is_as_ever(
    make_bench: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    spoiled: list[StandInTestbed] = []

    def prepare(testbed: StandInTestbed) -> None:
        if not spoiled and testbed.device.artefact.description.scheme == "far":
            spoiled.append(testbed)
            _losing(testbed, "far", 1)

    bench, _ = make_bench(prepare)
    rows = rows_of(bench, make_jobs([0, 1]), 1)
    assert [r["attempts"] for r in rows if r["attempts"] != 1] == [2]
    assert spoiled[0].steps.count("reset") == 2, "the board is brought up anew"
    told = [r.message for r in caplog.records if "SIGKILL" in r.message]
    assert len(told) == 1 and "taken again" in told[0], "the loss is told once"
    whole, _ = make_bench()
    undisturbed = rows_of(whole, make_jobs([0, 1]), 1)
    assert [r | {"attempts": 1} for r in rows] == undisturbed


@pytest.mark.slow
def test_a_board_that_loses_every_sample_is_set_aside_and_others_go_on(
    make_bench: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    bench, _ = make_bench(lambda testbed: _losing(testbed, "far", 1000))
    rows: list[dict[str, Any]] = []
    with pytest.raises(BenchError, match=r"samples of far are not taken, as boards were set aside \(stand_in 0"):
        list(run(bench, make_jobs([0, 1, 2, 3]), 1, _Keeping(rows)))
    assert {r["status"] for r in rows if r["scheme"] == "near"} == {"ok"}
    far = [r for r in rows if r["scheme"] == "far"]
    assert len(far) == MOST_LOST
    assert {r["error"] for r in far} == {"the board's process was killed by SIGKILL (taken 3 times)"}
    assert sum("is set aside" in r.message for r in caplog.records) == 1


class _Keeping(Watcher):
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def finished(self, planned: Planned, row: dict[str, Any]) -> None:
        self._rows.append(row)


@pytest.mark.slow
def test_another_board_takes_over_what_one_that_was_set_aside_leaves(make_bench: Callable[..., Any]) -> None:
    bad: list[StandInTestbed] = []

    def prepare(testbed: StandInTestbed) -> None:
        if testbed.device.artefact.description.scheme == "far" and (not bad or testbed in bad):
            bad[:] = [testbed]
            _losing(testbed, "far", 1000)

    bench, _ = make_bench(prepare)
    jobs = make_jobs([0, 1, 2, 3, 4, 5])
    rows = rows_of(bench, jobs, 2)
    assert len(rows) == len(jobs)
    assert sum(r["status"] == "failed" for r in rows) <= MOST_LOST


def test_a_board_that_does_not_come_back_gives_its_sample_to_another(
    make_bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bringup, "MOST_FAILURES", 1)
    bad: list[StandInTestbed] = []

    def prepare(testbed: StandInTestbed) -> None:
        if testbed.device.artefact.description.scheme == "far" and not bad:
            bad.append(testbed)
            testbed.device.faults.extend([None] * 6 + ["nak"] * 50)  # dies after it was ready, for good

    bench, _ = make_bench(prepare)
    jobs = make_jobs([0, 1, 2, 3, 4, 5])
    rows = rows_of(bench, jobs, 2)
    assert len(rows) == len(jobs)
    assert sum(r["status"] == "failed" for r in rows) <= 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "text", -1.5e308])
def test_a_value_that_no_column_takes_voids_the_sample_and_not_the_run(value: object) -> None:
    board = types.SimpleNamespace(for_sample=lambda: None, lost=lambda: None)
    good = dict.fromkeys(COLUMNS) | {"schema_version": 1, "point_id": "p", "order": 0, "scheme": "s", "dataset": "d"}
    good |= {"profile": "c", "testbed": "t", "image": 0, "warmup": False, "status": "ok", "remote_ms": 1.0}
    assert again.taken(board, "x", lambda: dict(good))["remote_ms"] == 1.0  # type: ignore[arg-type]
    with pytest.raises(BenchFailed, match=r"holds what can not be: 'remote_ms' .* \(taken 3 times\)"):
        again.taken(board, "x", lambda: good | {"remote_ms": value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "why", "modelled", "loss", "lost"),
    [
        ("not_ready", "", False, 0.0, True),
        ("link_down", "", False, 0.0, True),
        ("link_down", "", False, 0.1, False),
        ("timeout", "", True, 0.0, False),
        ("timeout", "no reply from the edge within 20 s of wall time", True, 0.0, True),
        ("link_down", "TCP gave a message up after 15 repeated segments", True, 0.1, False),
    ],
)
def test_what_scheme_or_link_decide_is_not_lost_to_the_bench(
    status: str, why: str, modelled: bool, loss: float, lost: bool
) -> None:
    testbed = types.SimpleNamespace(link=types.SimpleNamespace(modelled=modelled))
    found = inference._ended(status, why, LinkSpec.symmetric(1e6, loss=loss), testbed)  # type: ignore[arg-type]
    assert isinstance(found, BenchFailed) is lost
