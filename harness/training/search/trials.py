"""Decides the order of trials, and keeps their results.

Everything follows from the seed and from results, and results are kept by content, so the same command goes on where it
was stopped. Candidates that are chosen together, before any of them is known, may be trained at once: who trains them,
and how many at a time, changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

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
    train_s: float | None = None  # wall time where it was trained


# Trains candidates, which may be at once; yields (accuracy, seconds) of each in the order given.
Trainer = Callable[[Sequence[str]], Iterator[tuple[float, float]]]
# Chooses the next candidate, told all trials before it and which share of the wanted ones (0..1) has been chosen.
Sampler = Callable[[Sequence[Trial], float], str]


def pareto(trials: Sequence[Trial]) -> list[Trial]:
    """Return those that no other beats in both time and accuracy, fastest first."""
    done = [t for t in trials if t.accuracy is not None and t.cost.latency_ms is not None]
    return front(done, lambda t: t.cost.latency_ms or 0.0, lambda t: t.accuracy or 0.0)


def here(space: SearchSpace) -> Trainer:
    """Return what trains in this process, one after another."""

    def train(candidates: Sequence[str]) -> Iterator[tuple[float, float]]:
        for candidate in candidates:
            yield timed(space, candidate)

    return train


def timed(space: SearchSpace, candidate: str) -> tuple[float, float]:
    """Train a candidate; return its accuracy on validation (0..1) and the wall time, s. Raises as
    `SearchSpace.accuracy`.
    """
    began = time.monotonic()
    return space.accuracy(candidate), round(time.monotonic() - began, 1)


def run(
    space: SearchSpace,
    budget: Budget,
    count: int,
    cost_of: Callable[[bytes], Cost],
    sampler: Sampler,
    train: Trainer,
    together: int = 1,
) -> Iterator[Trial]:
    """Yield trials in the order chosen, refused ones too, until `count` are trained.

    Args:
        together: how many that fit the budget are chosen before the first of them is known.

    Raises:
        BenchError: hardly anything fits the budget, or a training failed.
    """
    trials: list[Trial] = []
    seen: set[str] = set()
    fitting = draws = 0
    while fitting < count:
        chosen: list[Trial] = []
        most = min(count, fitting + together)
        while fitting < most:
            draws += 1
            if draws > count * _DRAWS_A_TRIAL:
                raise BenchError(
                    f"only {fitting} of {draws} candidates fit the budget",
                    cure="raise --budget-ms or ask for fewer --trials",
                )
            candidate = sampler([*trials, *chosen], fitting / count) if seen else space.first()
            if candidate in seen:
                continue
            seen.add(candidate)
            cost = cost_of(space.graph(candidate))
            chosen.append(Trial(candidate, cost, refused=budget.refusal(cost)))
            fitting += chosen[-1].refused is None
        for trial in _trained(space, chosen, train):
            trials.append(trial)
            yield trial


def _trained(space: SearchSpace, chosen: Sequence[Trial], train: Trainer) -> Iterator[Trial]:
    """Yield the trials as they are known: as they are kept, else trained and kept."""
    known = {t.candidate: _kept(space, t.candidate, t.cost) for t in chosen if t.refused is None}
    found = train([candidate for candidate, trial in known.items() if trial is None])
    for trial in chosen:
        done = trial if trial.refused is not None else known[trial.candidate]
        if done is None:
            accuracy, train_s = next(found)
            done = Trial(trial.candidate, trial.cost, accuracy, None, train_s)
            _keep(space, done)
        yield done


def _kept(space: SearchSpace, candidate: str, cost: Cost) -> Trial | None:
    try:
        kept = reading.json_of(_file(space, candidate), "trained anew")
        return Trial(candidate, cost, float(kept["accuracy"]), None, float(kept["train_s"]))
    except (BenchError, ValueError, TypeError, KeyError, OverflowError):
        return None  # not there yet


def _keep(space: SearchSpace, trial: Trial) -> None:
    path = _file(space, trial.candidate)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(trial)), encoding="utf-8")
    part.replace(path)


def _file(space: SearchSpace, candidate: str) -> Path:
    key = hashlib.sha256(f"{space.key}\n{candidate}".encode()).hexdigest()[:20]
    return cache_dir() / "search" / f"trial-{key}.json"
