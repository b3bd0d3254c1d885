"""What a worker does: calls, mistakes, and what it keeps open from one call to the next."""

from __future__ import annotations

import gc
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cluster import same_bench, worker
from harness.cluster.worker import AsOneself, Mistake
from harness.contracts.errors import BenchError


@dataclass(frozen=True)
class Common:
    run: str


def test_a_call_is_done_by_the_same_bench_only() -> None:
    assert worker.called(same_bench.key(), lambda item, shared: item + shared, 1, 2) == 3
    refused = worker.called("0" * 16, lambda item: item, 1)
    assert isinstance(refused, Mistake)
    assert refused.final
    assert "another version" in refused.what


@pytest.mark.parametrize(("kind", "final"), [(BenchError, False), (AsOneself, True)])
def test_a_mistake_travels_as_what_it_is(kind: type[BenchError], final: bool) -> None:
    def fails(item: int) -> None:
        raise kind("it broke", cure="mend it")

    told = worker.called(same_bench.key(), fails, 1)
    assert told == Mistake("it broke", "mend it", final)
    assert str(told.error()) == "it broke: mend it"


def test_what_a_run_opens_is_opened_once_and_closed_when_it_lets_go() -> None:
    told: list[str] = []

    def make(shared: Common, held: ExitStack) -> str:
        told.append(f"open {shared.run}")
        held.callback(told.append, f"close {shared.run}")
        return "a lab"

    first, second = Common("first"), Common("second")
    assert worker.kept(first, make) == worker.kept(first, make) == worker.kept(second, make) == "a lab"
    assert told == ["open first", "open second"]
    worker.let_go("first")
    worker.let_go("first")
    assert told[2:] == ["close first"]
    with pytest.raises(BenchError, match="has ended"):  # a call that was on its way opens nothing again
        worker.kept(first, make)
    del second  # its client is gone, and with it the last that the worker had of it
    gc.collect()
    for _ in range(200):
        if told[3:]:
            break
        time.sleep(0.01)
    assert told[3:] == ["close second"]


def test_who_lets_go_waits_until_it_is_closed() -> None:
    """The worker's process may be ended as soon as `let_go` returns."""
    began, go_on, told = threading.Event(), threading.Event(), list[str]()

    def close() -> None:
        began.set()
        go_on.wait(10)
        told.append("closed")

    shared = Common("slow")
    worker.kept(shared, lambda _, held: held.callback(close))
    del shared
    gc.collect()
    assert began.wait(10)  # by the thread that the dropped reference started
    threading.Timer(0.05, go_on.set).start()
    worker.let_go("slow")
    assert told == ["closed"]


def test_what_can_not_be_opened_is_tried_again_and_leaves_nothing_open() -> None:
    told: list[str] = []

    def fails(shared: Common, held: ExitStack) -> str:
        held.callback(told.append, "closed")
        if len(told) < 1:
            raise BenchError("no broker")
        return "a lab"

    shared = Common("third")
    with pytest.raises(BenchError):
        worker.kept(shared, fails)
    assert told == ["closed"]
    assert worker.kept(shared, fails) == "a lab"
    worker.let_go("third")
    assert told == ["closed", "closed"]


def test_another_source_file_is_another_bench(tmp_path: Path) -> None:
    for package in same_bench.PACKAGES:
        (tmp_path / package).mkdir()
    (tmp_path / "harness" / "a.py").write_text("x = 1\n")
    (tmp_path / "testbeds" / "core.c").write_text("int x;\n")
    before = same_bench.sources(tmp_path)
    (tmp_path / "baselines" / "weights").mkdir()
    (tmp_path / "baselines" / "weights" / "summary.toml").write_text("right = 1\n")  # a run's own weights go along
    (tmp_path / "harness" / "notes.md").write_text("nothing that is run\n")
    assert same_bench.sources(tmp_path) == before
    (tmp_path / "testbeds" / "core.c").write_text("int y;\n")
    assert same_bench.sources(tmp_path) != before


def test_a_difference_names_what_differs() -> None:
    ours = same_bench.facts()
    assert same_bench.difference(dict(ours)) == ""
    said = same_bench.difference(ours | {"unicorn": "1.0"})
    assert said == f"unicorn 1.0 instead of {ours['unicorn']}"
    assert "sources missing" in same_bench.difference({k: v for k, v in ours.items() if k != "sources"})
