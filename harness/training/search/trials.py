"""Decides the order of trials, and keeps their results.

Half of the trials are drawn from the space, the rest are neighbours of the best so far. Everything follows from the
seed and from results, and results are kept by content, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from harness.analysis.pareto import front
from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir
from harness.contracts.search import SearchSpace
from harness.training.search.budget import Budget, Cost

_DRAWS_A_TRIAL = 40


@dataclass(frozen=True)
class Trial:
    """Holds one candidate: its cost, and its accuracy on validation or why it was not trained."""

    candidate: str
    cost: Cost
    accuracy: float | None = None
    refused: str | None = None
    train_s: float | None = None  # wall time here


def pareto(trials: Sequence[Trial]) -> list[Trial]:
    """Return those that no other beats in both time and accuracy, fastest first."""
    done = [t for t in trials if t.accuracy is not None and t.cost.latency_ms is not None]
    return front(done, lambda t: t.cost.latency_ms or 0.0, lambda t: t.accuracy or 0.0)


def run(space: SearchSpace, budget: Budget, count: int, seed: int, cost_of: Callable[[bytes], Cost]) -> Iterator[Trial]:
    """Yield trials as they are finished, refused ones too, until `count` are trained.

    Raises:
        BenchError: hardly anything fits the budget, or a training failed.
    """
    rng = np.random.default_rng(seed)
    trials: list[Trial] = []
    seen: set[str] = set()
    trained = draws = 0
    while trained < count:
        draws += 1
        if draws > count * _DRAWS_A_TRIAL:
            raise BenchError(
                f"only {trained} of {draws} candidates fit the budget",
                cure="raise --budget-ms or ask for fewer --trials",
            )
        candidate = _next(space, trials, rng, explore=trained < (count + 1) // 2)
        if candidate in seen:
            continue
        seen.add(candidate)
        cost = cost_of(space.graph(candidate))
        refused = budget.refusal(cost)
        trial = Trial(candidate, cost, refused=refused) if refused else _trained(space, candidate, cost)
        trials.append(trial)
        trained += refused is None
        yield trial


def _next(space: SearchSpace, trials: list[Trial], rng: np.random.Generator, *, explore: bool) -> str:
    if not trials:
        return space.first()
    best = pareto(trials)
    if explore or not best:
        return space.sample(rng)
    return space.mutate(best[int(rng.integers(len(best)))].candidate, rng)


def _trained(space: SearchSpace, candidate: str, cost: Cost) -> Trial:
    path = _file(space, candidate)
    try:
        kept = reading.json_of(path, "trained anew")
        return Trial(candidate, cost, float(kept["accuracy"]), None, float(kept["train_s"]))
    except (BenchError, ValueError, TypeError, KeyError, OverflowError):
        pass  # not there yet
    began = time.monotonic()
    accuracy = space.accuracy(candidate)
    trial = Trial(candidate, cost, accuracy, None, round(time.monotonic() - began, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(trial)), encoding="utf-8")
    part.replace(path)
    return trial


def _file(space: SearchSpace, candidate: str) -> Path:
    key = hashlib.sha256(f"{space.key}\n{candidate}".encode()).hexdigest()[:20]
    return cache_dir() / "search" / f"trial-{key}.json"
