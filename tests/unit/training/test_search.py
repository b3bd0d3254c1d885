"""The search for a device network: what is refused, what is kept, in which order, what it leaves behind."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.commands import search as way_in
from harness.contracts.errors import BenchError
from harness.report import search as outcome
from harness.training.search import samplers, trials
from harness.training.search.budget import Budget, Cost, measured
from testbeds.firmware.generator.compose import Composer


class Space:
    """Candidates are widths; cost and accuracy grow with them."""

    key = "a space"

    def __init__(self) -> None:
        self.trained: list[str] = []

    def first(self) -> str:
        return "10"

    def sample(self, rng: np.random.Generator) -> str:
        return str(int(rng.integers(1, 60)))

    def drawn(self, choose: Callable[[str, tuple[Any, ...]], Any]) -> str:
        return str(10 * choose("tens", (0, 1, 2, 3, 4, 5)) + choose("ones", tuple(range(1, 10))))

    def mutate(self, candidate: str, rng: np.random.Generator) -> str:
        return str(max(1, int(candidate) + int(rng.integers(-3, 4))))

    def graph(self, candidate: str) -> bytes:
        return candidate.encode()

    def accuracy(self, candidate: str) -> float:
        self.trained.append(candidate)
        return int(candidate) % 20 / 20  # so that not every slower one is better

    def recipe_words(self, candidate: str) -> list[str]:
        return ["--set", f"stem={candidate}"]


def cost_of(graph: bytes) -> Cost:
    return Cost(int(graph) * 1000, 1000, 1000, float(graph))


def searched(
    space: Space, count: int, seed: int, *, budget_ms: float = 30.0, sampler: str = "neighbours", together: int = 1,
    train: trials.Trainer | None = None,
) -> Iterator[trials.Trial]:  # fmt: skip
    chosen = samplers.sampler(sampler, space, seed)
    return trials.run(space, Budget(budget_ms), count, cost_of, chosen, train or trials.here(space), together)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))


def test_what_is_over_the_budget_is_never_trained() -> None:
    space = Space()
    done = list(searched(space, 8, 0))
    assert done[0].candidate == "10"
    assert [t.candidate for t in done if t.refused is None] == space.trained
    assert len(space.trained) == 8
    assert all(int(c) <= 30 for c in space.trained)
    refused = [t for t in done if t.refused]
    assert refused
    assert all(t.accuracy is None and int(t.candidate) > 30 for t in refused)


def test_the_same_command_goes_on_where_it_was_stopped() -> None:
    whole, stopped = list(searched(Space(), 8, 3)), Space()
    for trial in searched(stopped, 8, 3):
        assert trial in whole
    assert stopped.trained == []  # every result was there
    other = Space()
    other.key = "another training"
    again = [t.candidate for t in searched(other, 8, 3)]
    assert again == [t.candidate for t in whole]
    assert len(other.trained) == 8


@pytest.mark.parametrize(("sampler", "together"), [("neighbours", 1), ("neighbours", 4), ("tpe", 3)])
def test_who_trains_changes_nothing(
    sampler: str, together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates that are chosen together may be trained in any order; equal seeds choose equal candidates."""
    if sampler == "tpe":
        pytest.importorskip("optuna", reason="Optuna is not installed: pip install 'agilenn-bench[cluster]'")
    sizes: list[int] = []

    def backwards(candidates: Sequence[str]) -> Iterator[tuple[float, float]]:
        sizes.append(len(candidates))
        found = {c: trials.timed(Space(), c) for c in reversed(candidates)}
        yield from (found[c] for c in candidates)

    told = []
    for name, train in (("first", None), ("again", None), ("backwards", backwards)):
        monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / name))
        done = searched(Space(), 12, 5, sampler=sampler, together=together, train=train)
        told.append([(t.candidate, t.accuracy, t.refused) for t in done])
    assert told[0] == told[1] == told[2]
    assert sum(refused is None for _, _, refused in told[0]) == 12
    assert max(sizes) == together


def test_a_budget_that_nothing_fits_is_an_error() -> None:
    with pytest.raises(BenchError, match="only 0 of"):
        list(searched(Space(), 2, 0, budget_ms=0.5))


def test_the_pareto_set_has_what_no_other_beats() -> None:
    def trial(ms: float, accuracy: float | None) -> trials.Trial:
        return trials.Trial(f"{ms}", Cost(1, 1, 1, ms), accuracy)

    listed = [
        trial(3, 0.7),
        trial(1, 0.5),
        trial(2, 0.4),
        trial(4, 0.7),
        trial(5, 0.9),
        trial(0.1, None),
        trial(1, 0.6),
    ]
    assert [t.cost.latency_ms for t in trials.pareto(listed)] == [1, 3, 5]
    assert trials.pareto(listed)[0].accuracy == 0.6


@pytest.mark.parametrize(
    ("cost", "why"),
    [
        (Cost(1, 300 << 10, 1, 1.0), "RAM 300 KB"),
        (Cost(1, 1, 1000 << 10, 1.0), "flash 1000 KB"),
        (Cost(9_000_000, 1, 1, None), "9.0 M MAC"),
        (Cost(1, 1, 1, 20.5), "20.5 ms"),
        (Cost(1, 1, 1, 20.0), None),
    ],
)
def test_reasons_to_refuse(cost: Cost, why: str | None) -> None:
    assert Budget(20.0).refusal(cost) == why


def test_cost_is_that_of_the_generated_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    composer = Composer((8, 8, 3), seed=1)
    model = composer.finish(
        composer.dense(composer.reshape(composer.conv(composer.model.inputs[0], 8, 3), (1, 512)), 4)
    )
    monkeypatch.setattr("testbeds.firmware.generator.model.read_model", lambda _path: model)
    cost = measured(b"a graph", Budget(5.0))
    assert cost.macs == 8 * 8 * 27 * 8 + 512 * 4
    assert cost.latency_ms is not None
    assert 0.05 < cost.latency_ms < 0.3
    assert 512 <= cost.ram_bytes < 4096
    monkeypatch.setattr("testbeds.firmware.generator.model.read_model", None)
    assert measured(b"a graph", Budget(5.0)) == cost  # kept
    monkeypatch.setattr("testbeds.firmware.generator.model.read_model", lambda _path: model)
    assert measured(b"another", Budget(0.01)).latency_ms is None  # its multiply-accumulates alone are too many
    assert measured(b"another", Budget(5.0, ram_bytes=100)).latency_ms is None


def test_what_is_written(tmp_path: Path) -> None:
    done = list(searched(Space(), 6, 1))
    written = outcome.write(tmp_path / "out", done, note="Times modelled.", budget_ms=30.0)
    assert [path.name for path in written] == ["trials.csv", "pareto.md", "pareto.png", "pareto.pdf", "pareto.svg"]
    with (tmp_path / "out" / "trials.csv").open(encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    assert [row["candidate"] for row in rows] == [t.candidate for t in done]
    assert sum(int(row["pareto"]) for row in rows) == len(trials.pareto(done))
    assert (tmp_path / "out" / "pareto.md").read_text(encoding="utf-8").startswith("Times modelled.")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["nothing"], "unknown scheme"),
        (["local_only", "--budget-ms", "soon"], "is no time"),
        (["local_only", "--trials", "0"], "out of range"),
        (["local_only", "--dataset", "mnist"], "unknown data set"),
        (["local_only", "--set", 'stages=["cone 3"]'], "is no stage"),
    ],
)
def test_mistakes_are_one_line(argv: list[str], said: str) -> None:
    with pytest.raises(BenchError, match=said):
        way_in.main(argv)
