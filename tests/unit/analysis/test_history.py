"""A step in a history of runs is found where it is, and noise is none."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.analysis.history import LEAST_RUNS, Figure, Seen, likeliest, steps

FIGURE = Figure("virtual", "tiny", "agilenn", "bandwidth", 6e6, "total_ms")


def _history(values: list[float]) -> list[Seen]:
    return [Seen(f"run{i}", f"2026-01-{i + 1:02d}T00:00:00+00:00", value) for i, value in enumerate(values)]


@pytest.mark.parametrize(("before", "after"), [(4, 4), (6, 4), (4, 9)])
def test_a_step_is_found_where_it_is(before: int, after: int) -> None:
    step = likeliest(_history([10.0] * before + [11.0] * after))
    assert step is not None
    assert (step.at.run, step.before, step.after) == (f"run{before}", 10.0, 11.0)
    assert step.change == pytest.approx(0.1)
    assert step.p < 0.05


def test_the_p_value_is_that_of_all_orders() -> None:
    """Of eight values, four and four, 2 of 70 orders keep the two kinds apart; the random orders come close to that."""
    values = [10.0] * 4 + [11.0] * 4
    apart = sum(1 for places in itertools.combinations(range(8), 4) if places in ((0, 1, 2, 3), (4, 5, 6, 7)))
    step = likeliest(_history(values))
    assert step is not None and step.p == pytest.approx(apart / 70, abs=0.01)


def test_nothing_is_said_of_short_histories_and_of_equal_values() -> None:
    assert likeliest(_history([1.0] * (LEAST_RUNS // 2) + [2.0] * (LEAST_RUNS // 2 - 1))) is None
    assert likeliest(_history([5.0] * 20)) is None


def test_false_alarms_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(1)
    noise = {
        Figure("virtual", "tiny", f"s{i}", "bandwidth", 6e6, "total_ms"): _history(rng.normal(10, 1, 12).tolist())
        for i in range(60)
    }
    assert not any(step.counts for step in steps(noise, 0.0).values())
    stepped = noise | {FIGURE: _history([10.0, 10.1] * 8 + [12.0, 12.1] * 8)}
    found = steps(stepped, 0.02)
    assert [figure for figure, step in found.items() if step.counts] == [FIGURE]
    assert not steps(stepped, 0.5)[FIGURE].counts  # a change of a fifth is smaller than what was asked for
