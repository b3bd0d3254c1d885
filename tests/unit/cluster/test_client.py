"""Reaching a cluster: what lacks is one line."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from harness.cluster import client
from harness.cluster.address import Asked
from harness.contracts.errors import BenchError


def test_without_dask_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BenchError, match="Dask, which is not installed") as error, client.connected(Asked(local=1)):
        pass
    assert error.value.cure == "pip install 'agilenn-bench[cluster]'"


class Answers:
    """Stands for Dask's client: what its scheduler and workers say of their bench."""

    def __init__(self, scheduler: Any, workers: dict[str, Any]) -> None:
        self._scheduler, self._workers = scheduler, workers

    def run_on_scheduler(self, look: Any) -> Any:
        return self._scheduler

    def run(self, look: Any) -> dict[str, Any]:
        return self._workers


def test_workers_of_another_bench_or_of_none_are_refused() -> None:
    ours = client._look()()  # what a worker is asked, asked here
    assert ours is not None
    other = ours | {"sources": "0" * 16}
    client.Cluster(Answers(ours, {"tcp://a:1": ours}), Asked(local=1)).check_bench()  # type: ignore[arg-type]
    for scheduler, theirs, said in (
        (ours, other, f"tcp://a:1 of the cluster runs another bench: sources {'0' * 16} instead of {ours['sources']}"),
        (ours, None, "tcp://a:1 of the cluster has no bench"),
        (None, ours, "the scheduler of the cluster has no bench"),
    ):
        with pytest.raises(BenchError, match=said):
            client.Cluster(Answers(scheduler, {"tcp://a:1": theirs}), Asked(local=1)).check_bench()  # type: ignore[arg-type]
