"""Tells where a figure stepped in a history of runs.

The test is Pettitt's (1979): K is the largest absolute sum, over all places where the history could be cut, of the
signs of later values less earlier ones. It asks nothing of the values' distribution. Its p value is the share of 4,000
random orders (of a fixed seed) whose K is as large; of many histories that are tested at once, those count that keep
the share of false alarms at 5 % (Benjamini and Hochberg, 1995).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from harness.analysis.datum import RunData

LEAST_RUNS = 8  # a clean step in the middle of seven has p = 2 / 35, which never counts
FALSE_SHARE = 0.05
_ORDERS = 4000


@dataclass(frozen=True)
class Seen:
    """Holds one figure of one run."""

    run: str
    began_at: str
    value: float


@dataclass(frozen=True)
class Figure:
    """Names a figure that several runs may have: what was measured of which scheme, where on which axis."""

    testbed: str
    dataset: str
    scheme: str
    axis: str
    x: float
    metric: str


@dataclass(frozen=True)
class Step:
    """Holds the likeliest place of a step: `at` is the first run behind it, `before` and `after` are medians."""

    at: Seen
    before: float
    after: float
    p: float
    counts: bool = False

    @property
    def change(self) -> float | None:
        """Return the change as a share of the median before; None where that is 0."""
        return (self.after - self.before) / abs(self.before) if self.before else None


def histories(runs: Iterable[RunData], metric: str) -> dict[Figure, list[Seen]]:
    """Gather `metric` of all runs, the oldest run first."""
    found: dict[Figure, list[Seen]] = {}
    for run in sorted(runs, key=lambda r: (str(r.manifest["began_at"]), str(r.folder))):
        for d in run.data:
            if d.metric == metric:
                figure = Figure(d.testbed or run.testbed, d.dataset, d.scheme, d.axis, d.x, metric)
                found.setdefault(figure, []).append(Seen(str(run.folder), str(run.manifest["began_at"]), d.value))
    return found


def likeliest(history: Sequence[Seen]) -> Step | None:
    """Return the likeliest step; None where there are fewer than `LEAST_RUNS` runs, or all values are the same."""
    values = np.array([seen.value for seen in history])
    if len(values) < LEAST_RUNS or np.all(values == values[0]):
        return None
    # The signs within either side cancel out, so K is the largest partial sum of each value's own sum of signs.
    own = np.sign(values[None, :] - values[:, None]).sum(axis=1)
    sums = np.abs(np.cumsum(own))[:-1]
    cut = int(np.argmax(sums)) + 1
    rng = np.random.default_rng(0)
    orders = np.abs(np.cumsum(rng.permuted(np.tile(own, (_ORDERS, 1)), axis=1), axis=1))[:, :-1].max(axis=1)
    p = (1 + int(np.count_nonzero(orders >= sums.max()))) / (_ORDERS + 1)
    return Step(history[cut], median(values[:cut].tolist()), median(values[cut:].tolist()), p)


def steps(histories: Mapping[Figure, Sequence[Seen]], least: float) -> dict[Figure, Step]:
    """Return the likeliest step of each history that can have one, and whether it counts.

    Args:
        least: the smallest change that matters, as a share of the median before.
    """
    found = {figure: step for figure, history in histories.items() if (step := likeliest(history)) is not None}
    ordered = sorted(found, key=lambda figure: found[figure].p)
    passed = [i for i, figure in enumerate(ordered, 1) if found[figure].p <= FALSE_SHARE * i / len(ordered)]
    real = set(ordered[: max(passed, default=0)])

    def judged(figure: Figure, step: Step) -> Step:
        large = step.change is None or abs(step.change) >= least
        return Step(step.at, step.before, step.after, step.p, figure in real and large)

    return {figure: judged(figure, step) for figure, step in found.items()}
