"""Runs the benchmark's procedures: performance (five inputs, a window each, median) and accuracy (every input once).

Where the device's clock runs as the host's does, a window lasts at least ten seconds by the device's own laps. Where
its time is virtual a longer window only repeats the same number, so a window is a count of inferences there.
"""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.contracts.errors import BenchError
from harness.mlperf import scores
from harness.mlperf.client import Dut, DutError, Inference
from harness.mlperf.inputs import Input, InputSet

log = logging.getLogger(__name__)

WINDOWS = 5
WINDOW_S = 10.0  # a performance window lasts at least this long
MIN_ITERATIONS = 10
_MARGIN = 1.02  # aimed-at length over the least one
_WINDOW_ATTEMPTS = 3
MAX_ITERATIONS = 1_000_000

Progress = Callable[[str, int, int], None]  # (what, done, of)


@dataclass(frozen=True)
class WindowPlan:
    """Says how long a performance window is.

    Attributes:
        least_s: seconds on the device's clock; 0 = by count.
        iterations: inferences a window; None = found from one inference so that `least_s` is met.
        warmups: inferences before the first lap.
    """

    least_s: float = WINDOW_S
    iterations: int | None = None
    warmups: int = 1


@dataclass(frozen=True)
class Window:
    """Holds one performance window: `input_name` inferred `iterations` times."""

    input_name: str
    iterations: int
    elapsed_us: int

    @property
    def latency_ms(self) -> float:
        """Return the mean milliseconds of an inference."""
        return self.elapsed_us / 1e3 / self.iterations

    @property
    def inferences_per_s(self) -> float:
        """Return the throughput."""
        return self.iterations * 1e6 / self.elapsed_us


@dataclass(frozen=True)
class Performance:
    """Holds the windows of a performance run."""

    windows: Sequence[Window]
    least_s: float

    @property
    def median_inferences_per_s(self) -> float:
        """Return the benchmark's figure: the median over the windows."""
        return statistics.median(window.inferences_per_s for window in self.windows)

    @property
    def median_latency_ms(self) -> float:
        """Return the same as milliseconds an inference."""
        return statistics.median(window.latency_ms for window in self.windows)

    @property
    def meets_rules(self) -> bool:
        """Say whether there are five windows of at least ten seconds on the device's clock."""
        return len(self.windows) == WINDOWS and all(w.elapsed_us >= WINDOW_S * 1e6 for w in self.windows)


@dataclass(frozen=True)
class Prediction:
    """Holds one input of an accuracy run."""

    input: Input
    scores: tuple[float, ...]

    @property
    def predicted(self) -> int:
        """Return the largest score's index; the first one wins a tie."""
        return max(range(len(self.scores)), key=self.scores.__getitem__)


@dataclass(frozen=True)
class Accuracy:
    """Holds what the predictions of an accuracy run amount to."""

    n: int
    top1: float
    auc: float | None


def run_performance(dut: Dut, inputs: InputSet, plan: WindowPlan, progress: Progress) -> Performance:
    """Run five windows, one for each of the first five inputs.

    Raises:
        BenchError: fewer than five inputs, the device's clock is too coarse, or a window stays too short.
        DutError: the device failed.
    """
    chosen = list(inputs.inputs[:WINDOWS])
    if len(chosen) < WINDOWS:
        raise BenchError(
            f"{inputs.source} has {len(chosen)} inputs, a performance run needs {WINDOWS}", cure="add inputs"
        )
    iterations = plan.iterations or _calibrate(dut, chosen[0], plan)
    windows: list[Window] = []
    for one in chosen:
        progress("performance", len(windows), WINDOWS)
        window = _window(dut, one, plan, iterations)
        iterations = window.iterations
        windows.append(window)
    progress("performance", WINDOWS, WINDOWS)
    return Performance(windows, plan.least_s)


def _calibrate(dut: Dut, one: Input, plan: WindowPlan) -> int:
    """Return the inferences that a window needs, from one (or, for a coarse clock, more) on the first input."""
    iterations = 1
    while True:
        elapsed_us = dut.run_input(one.data, iterations, 0).elapsed_us
        if elapsed_us > 0:
            wanted = math.ceil(plan.least_s * 1e6 * _MARGIN / (elapsed_us / iterations))
            return min(max(wanted, MIN_ITERATIONS), MAX_ITERATIONS)
        if iterations >= 1000:
            raise BenchError(
                f"the clock of the device on {dut.label} stands still over {iterations} inferences",
                cure="its image needs a running microsecond clock",
            )
        iterations *= 10


def _window(dut: Dut, one: Input, plan: WindowPlan, iterations: int) -> Window:
    """Run one window, repeated with more inferences when it came out too short."""
    for _ in range(_WINDOW_ATTEMPTS):
        run: Inference = dut.run_input(one.data, iterations, plan.warmups)
        if run.elapsed_us <= 0:
            raise DutError(
                f"the clock of the device on {dut.label} stood still in a window", cure="use more --iterations"
            )
        if run.elapsed_us >= plan.least_s * 1e6:
            return Window(one.name, iterations, run.elapsed_us)
        if plan.iterations is not None:
            raise BenchError(
                f"{iterations} inferences took {run.elapsed_us / 1e6:.3f} s, a window has {plan.least_s:g} s at least",
                cure="give more --iterations, or leave the option out",
            )
        log.info("window of %.3f s is too short, once more", run.elapsed_us / 1e6)
        iterations = min(math.ceil(iterations * plan.least_s * 1e6 * _MARGIN / run.elapsed_us), MAX_ITERATIONS)
    raise BenchError(f"windows on {dut.label} stay shorter than {plan.least_s:g} s", cure="check the device's clock")


def run_accuracy(dut: Dut, inputs: InputSet, progress: Progress) -> Iterator[Prediction]:
    """Infer each input once, and yield as it goes, so that what is done can be kept.

    Raises:
        BenchError: the device puts out another number of scores than there are classes.
        DutError: the device failed.
    """
    for done, one in enumerate(inputs.inputs):
        progress("accuracy", done, len(inputs.inputs))
        run = dut.run_input(one.data, 1, 0)
        if len(run.results) != inputs.classes:
            raise BenchError(
                f"the device on {dut.label} puts out {len(run.results)} scores, {inputs.source} has {inputs.classes} "
                "classes",
                cure="give the inputs that its network was trained for",
            )
        yield Prediction(one, run.results)
    progress("accuracy", len(inputs.inputs), len(inputs.inputs))


def judge(predictions: Sequence[Prediction]) -> Accuracy:
    """Return top-1 and AUC of an accuracy run.

    Raises:
        BenchError: there are no predictions.
    """
    if not predictions:
        raise BenchError("no input was inferred, so there is no accuracy", cure="give at least one input")
    table = np.array([p.scores for p in predictions], dtype=np.float64)
    labels = np.array([p.input.label for p in predictions], dtype=np.int64)
    return Accuracy(len(predictions), scores.top1(table, labels), scores.auc(table, labels))
