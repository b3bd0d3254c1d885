"""As many digits as decide, and never an exponent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.digits import significant, told_apart


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [(84.96, 85, "84.96"), (84.2, 85, "84.2"), (85.0, 85, "85.0"), (84.9996, 85, "84.9996"), (30.04, 30, "30.04")],
)
def test_digits_that_decide(value: float, limit: float, text: str) -> None:
    assert told_apart(value, limit) == text


@given(st.floats(0, 1e4), st.floats(0, 1e4))
def test_what_is_apart_looks_apart(value: float, limit: float) -> None:
    text = told_apart(value, limit)
    assert abs(value - limit) < 1e-5 or float(text.replace(",", "")) != limit or text != told_apart(limit, limit)


@pytest.mark.parametrize(
    ("value", "text"), [(2e6, "2,000,000"), (1234567.0, "1,230,000"), (0.01234, "0.0123"), (12.9, "12.9"), (0.0, "0")]
)
def test_significant_digits_without_an_exponent(value: float, text: str) -> None:
    assert significant(value) == text
    assert significant(value, signed=True) == f"+{text}"
