"""The benchmark's procedures and scores, on devices whose speed and answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.mlperf import procedures, scores
from harness.mlperf.client import Dut
from harness.mlperf.inputs import Input, InputSet, synthetic
from harness.mlperf.lines import LoopPort, StepClock
from harness.mlperf.procedures import WindowPlan
from harness.mlperf.standin import StandinDut, checksum_network

SEEN: list[tuple[str, int, int]] = []


def dut_of(device: StandinDut) -> Dut:
    clock = StepClock()
    dut = Dut(LoopPort(device, clock), "here", clock=clock)
    dut.connect()
    return dut


def progress(what: str, done: int, of: int) -> None:
    SEEN.append((what, done, of))


INPUTS = synthetic(7, size=40)


def test_windows_are_long_enough_by_the_devices_own_clock() -> None:
    dut = dut_of(StandinDut(infer_us=61_570, baud=0))
    result = procedures.run_performance(dut, INPUTS, WindowPlan(), progress)
    assert [w.input_name for w in result.windows] == [one.name for one in INPUTS.inputs[:5]]
    assert {w.iterations for w in result.windows} == {166}  # ceil(10 s x 1.02 / 61.57 ms)
    assert all(w.elapsed_us == 166 * 61_570 >= 10e6 for w in result.windows)
    assert result.meets_rules
    assert result.median_latency_ms == pytest.approx(61.57)
    assert result.median_inferences_per_s == pytest.approx(1e6 / 61_570)


def test_a_fast_network_has_many_inferences_a_window() -> None:
    result = procedures.run_performance(dut_of(StandinDut(infer_us=100, baud=0)), INPUTS, WindowPlan(), progress)
    assert {w.iterations for w in result.windows} == {102_000}


def test_windows_by_count_where_time_is_virtual() -> None:
    plan = WindowPlan(least_s=0.0, iterations=4, warmups=0)
    result = procedures.run_performance(dut_of(StandinDut(infer_us=1000, baud=0)), INPUTS, plan, progress)
    assert [w.elapsed_us for w in result.windows] == [4000] * 5
    assert not result.meets_rules


def test_a_window_that_came_out_short_is_repeated_longer() -> None:
    class WarmingUp(StandinDut):
        """Slow at first, ten times faster from the second input on."""

        def _infer(self, arguments: list[str]) -> None:
            super()._infer(arguments)
            self.infer_us = 10_000

    result = procedures.run_performance(dut_of(WarmingUp(infer_us=100_000, baud=0)), INPUTS, WindowPlan(), progress)
    assert all(w.elapsed_us >= 10e6 for w in result.windows)
    assert result.windows[0].iterations == 1020


def test_the_median_is_over_the_windows() -> None:
    class Uneven(StandinDut):
        """Each input takes a millisecond more."""

        def _db_load(self, size: int | None) -> None:
            self.infer_us += 1000
            super()._db_load(size)

    plan = WindowPlan(least_s=0.0, iterations=10)
    result = procedures.run_performance(dut_of(Uneven(infer_us=0, baud=0)), INPUTS, plan, progress)
    assert [w.latency_ms for w in result.windows] == [1, 2, 3, 4, 5]
    assert result.median_latency_ms == 3
    assert result.median_inferences_per_s == pytest.approx(1000 / 3)


def test_a_coarse_clock_is_calibrated_on_more_inferences() -> None:
    class Coarse(StandinDut):
        def _timestamp(self) -> None:
            self._say(f"m-lap-us-{int(self.clock_us) // 100_000 * 100_000}")

    result = procedures.run_performance(dut_of(Coarse(infer_us=7000, baud=0)), INPUTS, WindowPlan(), progress)
    assert all(w.elapsed_us >= 10e6 for w in result.windows)


def test_a_clock_that_stands_still_is_an_error() -> None:
    class Stopped(StandinDut):
        def _timestamp(self) -> None:
            self._say("m-lap-us-5")

    with pytest.raises(BenchError, match="stands still"):
        procedures.run_performance(dut_of(Stopped()), INPUTS, WindowPlan(), progress)
    with pytest.raises(BenchError, match="stood still"):
        procedures.run_performance(dut_of(Stopped()), INPUTS, WindowPlan(0.0, 10), progress)


def test_too_few_iterations_or_inputs_are_an_error() -> None:
    with pytest.raises(BenchError, match="10 s at least"):
        procedures.run_performance(dut_of(StandinDut()), INPUTS, WindowPlan(iterations=3), progress)
    with pytest.raises(BenchError, match="has 4 inputs"):
        procedures.run_performance(dut_of(StandinDut()), synthetic(4, size=40), WindowPlan(), progress)


def test_accuracy_takes_every_input_once_and_in_order() -> None:
    SEEN.clear()
    device = StandinDut(checksum_network(10), baud=0)
    done = list(procedures.run_accuracy(dut_of(device), INPUTS, progress))
    assert [p.input.name for p in done] == [one.name for one in INPUTS.inputs]
    assert [p.predicted for p in done] == [one.label for one in INPUTS.inputs]
    result = procedures.judge(done)
    assert (result.n, result.top1, result.auc) == (7, 1.0, 1.0)
    assert [("accuracy", i, 7) for i in range(8)] == SEEN


def test_wrong_labels_count_against_it() -> None:
    wrong = [Input(one.name, one.data, (one.label + (i < 3)) % 10) for i, one in enumerate(INPUTS.inputs)]
    done = list(procedures.run_accuracy(dut_of(StandinDut()), InputSet("wrong", 10, wrong), progress))
    assert procedures.judge(done).top1 == pytest.approx(4 / 7)


def test_a_network_with_other_classes_is_an_error() -> None:
    with pytest.raises(BenchError, match="puts out 12 scores"):
        list(procedures.run_accuracy(dut_of(StandinDut(checksum_network(12))), INPUTS, progress))
    with pytest.raises(BenchError, match="no accuracy"):
        procedures.judge([])


def test_top1_takes_the_first_of_equals() -> None:
    table = np.array([[0.5, 0.5], [0.2, 0.8], [0.3, 0.3]])
    assert scores.top1(table, np.array([0, 1, 1])) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="no accuracy"):
        scores.top1(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))


def test_auc_of_known_cases() -> None:
    def area(first: list[float], labels: list[int]) -> float | None:
        column = np.array(first)
        return scores.auc(np.stack([column, -column], axis=1), np.array(labels))

    assert area([3, 2, 1, 0], [0, 0, 1, 1]) == 1.0
    assert area([0, 1, 2, 3], [0, 0, 1, 1]) == 0.0
    assert area([1, 1, 1, 1], [0, 1, 0, 1]) == 0.5
    assert area([4, 2, 3, 1], [0, 0, 1, 1]) == 0.75
    assert area([1, 2], [0, 0]) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=2, max_size=30))
def test_auc_is_the_share_of_ordered_pairs(rows: list[tuple[int, int]]) -> None:
    table = np.array([[(score * (k + 2)) % 5 for k in range(3)] for score, _ in rows], dtype=float)
    labels = np.array([label for _, label in rows])
    wanted = []
    for k in range(3):
        pairs = [
            (a > b) + 0.5 * (a == b)
            for a, x in zip(table[:, k], labels, strict=True)
            for b, y in zip(table[:, k], labels, strict=True)
            if x == k != y
        ]
        if pairs:
            wanted.append(sum(pairs) / len(pairs))
    got: Any = scores.auc(table, labels)
    assert got is None if not wanted else got == pytest.approx(sum(wanted) / len(wanted))
