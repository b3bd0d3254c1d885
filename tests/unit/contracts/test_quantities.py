"""Numbers with units, as options and bench files write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts import quantities
from harness.contracts.errors import BenchError


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("total_ms", "30 ms", 30.0),
        ("total_ms", "0.03s", 30.0),
        ("agilenn.total_ms", 15, 15.0),
        ("total_ms", "250 µs", 0.25),
        ("energy_uj", "12.5 mJ", 12_500.0),
        ("flash_bytes", "1 MiB", 1_048_576.0),
        ("ram_bytes", "327_680", 327_680.0),
        ("rate_bps", "6 Mbit/s", 6e6),
        ("clock_hz", "216 MHz", 216e6),
    ],
)
def test_values_come_in_the_unit_of_the_name(name: str, value: float | str, found: float) -> None:
    assert quantities.in_unit_of(name, value) == pytest.approx(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("total_ms", value) for value in ("30 mJ", "fast", "", -1.0, float("nan"), "1e999", "-3 ms", "3 ms 4")),
        ("speed", 3.0),
    ],
)
def test_others_are_one_clear_line(name: str, value: float | str) -> None:
    with pytest.raises(BenchError, match=name):
        quantities.in_unit_of(name, value)


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_refused(text: str) -> None:
    for parse in (quantities.duration_ms, quantities.share, lambda t: quantities.in_unit_of("x_bytes", t)):
        try:
            assert parse(text) >= 0
        except BenchError as e:
            assert "\n" not in str(e)


def test_shares_and_durations() -> None:
    assert quantities.share("5%") == quantities.share("0.05") == 0.05
    assert quantities.share_or_none("none") == "none"
    assert quantities.duration_ms("30ms") == quantities.duration_ms("30") == 30.0
    for wrong in ("0%", "101%", "many", "nan"):
        with pytest.raises(BenchError):
            quantities.share(wrong)
    for wrong in ("0ms", "soon", "-5ms"):
        with pytest.raises(BenchError):
            quantities.duration_ms(wrong)
