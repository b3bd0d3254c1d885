"""Fronts are fronts of curves: between neighbouring measured points a curve is a line, beyond them nothing is said."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.pareto import Choice, curves, envelope, pareto


def point(name: str, ms: float, accuracy: float, curve: str = "") -> Choice:
    return Choice(name, name.title(), ms, accuracy, "modelled", curve)


JPEG = [point("jpeg", 6.0, 86.0), point("jpeg_q50", 5.0, 80.0, "jpeg"), point("jpeg_q90", 8.0, 87.0, "jpeg")]


def test_between_neighbours_a_curve_is_a_line_and_beyond_them_nothing() -> None:
    (jpeg,) = curves(JPEG)
    assert (jpeg.scheme, jpeg.title, [p.latency_ms for p in jpeg.points]) == ("jpeg", "Jpeg", [5.0, 6.0, 8.0])
    assert jpeg.latency_at(83.0) == pytest.approx(5.5)
    assert jpeg.latency_at(86.5) == pytest.approx(7.0)
    assert (jpeg.latency_at(79.9), jpeg.latency_at(87.1)) == (None, None)
    assert jpeg.accuracy_within(7.0) == pytest.approx(86.5)
    assert (jpeg.accuracy_within(4.9), jpeg.accuracy_within(99.0)) == (None, 87.0)
    assert (jpeg.quickest_above(70.0), jpeg.quickest_above(83.0), jpeg.quickest_above(88.0)) == (5.0, 5.5, None)


def test_a_point_that_a_line_beats_is_not_on_the_front() -> None:
    """Among points alone it would be: no measured one is both quicker and more accurate."""
    under = point("other", 5.6, 83.0)
    alone = [c.scheme for c in pareto([*(c._replace(curve="") for c in JPEG), under])]
    assert "other" in alone
    assert [c.scheme for c in pareto([*JPEG, under])] == ["jpeg_q50", "jpeg", "jpeg_q90"]
    assert "other" in [c.scheme for c in pareto([*JPEG, under._replace(accuracy=84.0)])]


def test_a_curves_own_beaten_point_is_no_part_of_it() -> None:
    (curve,) = curves([*JPEG, point("jpeg_q60", 6.5, 85.0, "jpeg")])
    assert [p.latency_ms for p in curve.points] == [5.0, 6.0, 8.0]


def test_the_front_rises_along_lines_and_by_steps_where_a_curve_begins() -> None:
    line = envelope(curves([*JPEG, point("net", 5.5, 85.0)]))
    assert all(later[0] >= earlier[0] and later[1] >= earlier[1] for earlier, later in pairwise(line))
    assert [y for x, y in line if x == 5.5] == [pytest.approx(83.0), pytest.approx(85.0)]
    assert line[-1] == (8.0, 87.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(1, 50), st.floats(50, 90)), min_size=1, max_size=12))
def test_of_the_front_no_other_curve_beats_any_and_nothing_else_is_left(pairs: list[tuple[str, float, float]]) -> None:
    choices = [point(f"{c}{i}", ms, accuracy, c) for i, (c, ms, accuracy) in enumerate(pairs)]
    on = pareto(choices)
    assert on
    assert all(a.latency_ms <= b.latency_ms and a.accuracy <= b.accuracy for a, b in pairwise(on))
    best = max(choices, key=lambda c: (c.accuracy, -c.latency_ms))
    assert (best.latency_ms, best.accuracy) in [(c.latency_ms, c.accuracy) for c in on]
