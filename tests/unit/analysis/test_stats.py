"""Statistics say when they can't answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import stats

values = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=5, max_size=40)


def test_nothing_has_no_median() -> None:
    assert stats.median([]) is None
    assert stats.median_interval([]) is None


def test_few_values_have_no_interval() -> None:
    found = stats.median_interval([1.0, 2.0, 3.0])
    assert found == stats.Interval(2.0, None, None, 3)


@given(values)
def test_the_interval_holds_the_median_and_is_deterministic(data: list[float]) -> None:
    found = stats.median_interval(data)
    assert found is not None
    assert found == stats.median_interval(data)
    assert found.low is not None
    assert found.high is not None
    assert min(data) <= found.low <= found.median <= found.high <= max(data)


def test_the_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for i in range(200):
        found = stats.median_interval(rng.normal(10, 2, 30).tolist(), seed=i)
        assert found is not None
        hits += found.low is not None and found.high is not None and found.low <= 10 <= found.high
    assert 180 <= hits <= 200


@pytest.mark.parametrize(("n", "q", "told"), [(99, 95, False), (100, 95, True), (10, 50, True), (9, 50, False)])
def test_a_percentile_is_told_only_where_n_carries_it(n: int, q: float, told: bool) -> None:
    assert (stats.percentile([float(i) for i in range(n)], q) is not None) is told


def test_outliers_are_found_and_not_where_most_are_equal() -> None:
    assert stats.outliers([10.0, 10.1, 9.9, 10.2, 9.8, 30.0]) == [5]
    assert stats.outliers([10.0, 10.0, 10.0, 10.0, 99.0]) == []
    assert stats.outliers([1.0, 50.0]) == []


def test_wilson_interval() -> None:
    low, high = stats.share_interval(8000, 10_000) or (0, 0)
    assert low == pytest.approx(0.79204, abs=1e-4)
    assert high == pytest.approx(0.80773, abs=1e-4)
    assert stats.share_interval(0, 0) is None


def test_two_kinds_are_weighed_by_their_share_of_the_whole() -> None:
    left, sent = [4.0] * 9, [10.0, 11.0, 12.0, 13.0, 14.0]
    found, mean = stats.weighted_interval(left, sent, 0.25), stats.mean_interval(sent)
    assert found is not None
    assert mean is not None
    assert found.middle == pytest.approx(0.25 * 4 + 0.75 * 12)
    assert found.n == 14
    assert found.low == pytest.approx(found.middle - 0.75 * (mean.middle - (mean.low or 0)))
    assert stats.weighted_interval([], sent, 0.25) is None
    few = stats.weighted_interval([4.0], sent, 0.5)
    assert few is not None
    assert few.low is None
