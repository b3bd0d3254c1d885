"""Chooses candidates of a search: neighbours of the best so far, or by Optuna's estimator."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.contracts.errors import BenchError
from harness.contracts.search import SearchSpace
from harness.training.search.trials import Sampler, Trial, pareto

NAMES = ("neighbours", "tpe")
_STARTING = 10  # candidates that the estimator draws before it estimates; as Optuna


def sampler(name: str, space: SearchSpace, seed: int) -> Sampler:
    """Return the sampler called `name`.

    Raises:
        BenchError: it needs a package that is not installed, or the space can't be drawn from by names.
    """
    return Neighbours(space, seed) if name == "neighbours" else Tpe(space, seed)


class Neighbours:
    """Draws half of the candidates from the space; the rest are neighbours of the best so far."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._rng = np.random.default_rng(seed)

    def __call__(self, trials: Sequence[Trial], share: float) -> str:
        best = [] if share < 0.5 else pareto(trials)
        if not best:
            return self._space.sample(self._rng)
        return self._space.mutate(best[int(self._rng.integers(len(best)))].candidate, self._rng)


class Tpe:
    """Asks Optuna's tree-structured Parzen estimator (Ozaki et al., GECCO 2020), which weighs time against accuracy.

    It is not told of candidates over the budget.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        if importlib.util.find_spec("optuna") is None:
            raise BenchError(
                "--sampler tpe needs Optuna, which is not installed", cure="pip install 'agilenn-bench[cluster]'"
            )
        import optuna  # noqa: PLC0415

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._states = optuna.trial.TrialState
        self._space = space
        self._study = optuna.create_study(
            directions=["minimize", "maximize"],
            sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTING),
        )
        self._asked: dict[str, Any] = {}  # candidate -> Optuna's trial, until it is told what came of it

    def __call__(self, trials: Sequence[Trial], share: float) -> str:
        for trial in trials:
            if trial.refused is None and trial.accuracy is None:
                continue  # chosen together with this one: not known yet
            if (asked := self._asked.pop(trial.candidate, None)) is None:
                continue
            if trial.accuracy is None:
                self._study.tell(asked, state=self._states.FAIL)
            else:
                self._study.tell(asked, [trial.cost.latency_ms, trial.accuracy])
        asked = self._study.ask()
        candidate = self._space.drawn(asked.suggest_categorical)
        if candidate in self._asked or any(t.candidate == candidate for t in trials):
            self._study.tell(asked, state=self._states.FAIL)  # it is drawn again
        else:
            self._asked[candidate] = asked
        return candidate
