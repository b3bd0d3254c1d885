"""Trainings on workers elsewhere: rows come home and are kept, other pictures are refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import baselines.data
from harness.cluster.worker import AsOneself
from harness.contracts.errors import BenchError
from harness.runs import trained_rows as rows
from harness.training.options import TrainOptions
from harness.training.search import afar as search
from harness.training.sweep import afar, axes
from harness.training.sweep import plan as plans
from harness.training.sweep.points import Base

PLAN = plans.load()


def base(**overrides: str) -> Base:
    return Base("cifar10", "compact", {k.replace("__", "."): v for k, v in overrides.items()}, PLAN.budget)


class Workers:
    """Answers every call by `done`, the last one first."""

    def __init__(self, done: Any) -> None:
        self._done = done

    def each(self, call: Any, items: Sequence[Any], shared: Any) -> Iterator[tuple[int, Any]]:
        for index in reversed(range(len(items))):
            yield index, self._done(items[index])


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))


def test_rows_come_home_and_are_kept() -> None:
    settings = axes.settings(axes.AXES["rho"], PLAN, None)[:3]

    def done(item: Any) -> rows.Row:
        setting, recipe = item
        return dict.fromkeys(rows.COLUMNS) | {"recipe_hash": f"h{setting.value}", "accuracy": recipe.losses.rho}

    found = dict(afar.there(Workers(done), base(), settings, "rho", "0" * 64))  # type: ignore[arg-type]
    assert sorted(found) == [0, 1, 2]
    for index, setting in enumerate(settings):
        assert rows.find(f"h{setting.value}", ()) == found[index]
        assert found[index]["accuracy"] == float(setting.value)  # the point's own recipe went along


def test_another_copy_of_the_data_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines.data, "load_dataset", lambda name: SimpleNamespace(checksum="1" * 64))
    with ExitStack() as held, pytest.raises(AsOneself, match="another cifar10"):
        afar._Room(afar.Trainings("run", base(), "rho", "0" * 64), held)


def test_a_worker_that_trains_by_other_versions_is_refused() -> None:
    with ExitStack() as held, pytest.raises(AsOneself, match=r"other versions: .*keras .* instead of 0\.1"):
        afar._Room(afar.Trainings("run", base(), "rho", "0" * 64, {"keras": "0.1"}), held)


def test_files_of_this_machine_are_refused() -> None:
    own = base(reference__file="/here/reference.npz")
    with pytest.raises(BenchError, match=r"reference\.file"):
        list(afar.there(Workers(None), own, axes.settings(axes.AXES["rho"], PLAN, None), "rho", "0" * 64))  # type: ignore[arg-type]
    options = TrainOptions("cifar10", recipe=Path("own.toml"))
    with pytest.raises(BenchError, match="--recipe"):
        search.there(Workers(None), "local_only", options, SimpleNamespace(key=""))  # type: ignore[arg-type]


def test_candidates_come_back_in_the_order_asked() -> None:
    workers = Workers(lambda candidate: (len(candidate) / 10, 1.0))
    train = search.there(workers, "local_only", TrainOptions("cifar10"), SimpleNamespace(key=""))  # type: ignore[arg-type]
    assert list(train(["a", "bb", "ccc"])) == [(0.1, 1.0), (0.2, 1.0), (0.3, 1.0)]
    assert list(train([])) == []
