"""Metadata text and the conversion to amperes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.power.ppk2_calibration import MAX_TEXT_BYTES, Calibration, parse_metadata
from harness.power.spike_filter import filter_spikes, running_average

MINE = Calibration(
    r=(1003.3, 101.5, 10.3, 0.94, 0.04),
    gs=(0.4, 112.7, 18.0, 3.2, 0.9),
    gi=(1.0, 0.97, 0.98, 0.96, 0.99),
    o=(112.2, 75.8, 64.4, 50.2, 96.9),
    s=(0.000005, 0.0, -0.00001, 0.0, 0.0),
    i=(-0.00000057, 0.0, 0.0, 0.0003, 0.0003),
    ug=(1.0, 1.0, 1.01, 1.0, 1.0),
    hardware=9173,
)


def test_the_text_of_a_calibration_reads_back_as_it() -> None:
    read = parse_metadata(b"\x01\x02junk before" + MINE.text(vdd_mv=3300, mode=2))
    assert (read.r, read.gs, read.gi, read.o, read.s, read.i, read.ug) == (
        (MINE.r, MINE.gs, MINE.gi, MINE.o, MINE.s, MINE.i, MINE.ug)
    )
    assert (read.vdd_mv, read.mode, read.hardware, read.nominal) == (3300, 2, 9173, ())


def test_the_conversion_is_the_published_formula() -> None:
    table = MINE.table_a(3.0)
    for number, code in ((0, 0), (1, 5000), (2, 12345), (3, 16383), (4, 200)):
        x = (code * 4 - MINE.o[number]) * (1.8 / 163840) / MINE.r[number]
        expected = MINE.ug[number] * (
            x * (MINE.gs[number] * x + MINE.gi[number]) + MINE.s[number] * 3.0 + MINE.i[number]
        )
        assert table[number * 16384 + code] == pytest.approx(expected, rel=1e-12)
    assert np.isnan(table[5 * 16384 :]).all()


def test_what_is_missing_or_not_a_number_is_nominal_and_named() -> None:
    read = parse_metadata(b"R0: 1000.5\nR1: -nan\nGS2: 1e400\nVDD: 3000\nEND\n")
    assert read.r == (1000.5, 101.65, 10.15, 0.94, 0.043)
    assert {"R1", "GS2", "UG4"} <= set(read.nominal)
    assert "R0" not in read.nominal


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"R0: 1000\n", "no END"),
        (b"END", "no calibration"),
        (b"R0: -1\nEND", "below 0"),
        (b"R0: 1\n" * 2000 + b"END", f"{6 * 2000 + 3} bytes"),
    ],
)
def test_a_text_that_can_not_be_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(BenchError, match=says):
        parse_metadata(text)


@given(st.one_of(st.binary(max_size=MAX_TEXT_BYTES + 10), st.text(max_size=500).map(lambda t: t.encode("utf-8"))))
def test_any_bytes_are_a_calibration_or_a_bench_error(text: bytes) -> None:
    try:
        read = parse_metadata(b"R0: 10\n" + text + b"\nEND")
    except BenchError:
        return
    assert np.isfinite(read.table_a(3.3)[: 5 * 16384]).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300), st.sampled_from([0.06, 0.18]))
def test_the_running_average_by_blocks_is_that_of_a_loop(values: list[float], weight: float) -> None:
    average, expected = values[0], []
    for value in values:
        average = weight * value + (1 - weight) * average
        expected.append(average)
    assert running_average(np.array(values), weight) == pytest.approx(expected, abs=1e-12)


def test_a_spike_at_a_change_of_range_is_smoothed_and_nothing_else_is_touched() -> None:
    current, ranges = np.full(400, 0.01), np.full(400, 3)
    ranges[200:] = 4
    current[200] = 0.5
    filtered = filter_spikes(current, ranges)
    assert filtered[200] == pytest.approx(0.01)  # the first two in range 4 don't enter the average
    ranges[200:] = 2
    assert filter_spikes(current, ranges)[200] == pytest.approx(0.18 * 0.5 + 0.82 * 0.01)
    untouched = np.r_[0:200, 203:400]
    assert np.array_equal(filtered[untouched], current[untouched])


def plain_filter(current: npt.NDArray[np.float64], ranges: npt.NDArray[np.int64]) -> list[float]:
    """The filter by its description, a sample at a time: two averages over all but the first two samples in range 4,
    and their value for three samples from a change of range on."""
    fast = slow = current[0]
    since, left, before, out = 0, 0, ranges[0], []
    for value, now in zip(current, ranges, strict=True):
        kept = fast, slow
        fast, slow = 0.18 * value + 0.82 * fast, 0.06 * value + 0.94 * slow
        since, left = (0, 3) if now != before else (since + 1, left)
        if left > 0:
            if now == 4 and since < 2:
                fast, slow = kept
            left -= 1
            out.append(slow if now == 4 else fast)
        else:
            out.append(value)
        before = now
    return out


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(2, 4)), min_size=1, max_size=60))
def test_the_filter_is_that_of_the_description(samples: list[tuple[float, int]]) -> None:
    current, ranges = (np.array(column) for column in zip(*samples, strict=True))
    assert filter_spikes(current.astype(float), ranges) == pytest.approx(plain_filter(current, ranges), abs=1e-12)


@pytest.mark.parametrize("key", ["R2", "GS2", "GI2", "UG2"])
def test_a_modifier_of_0_keeps_its_nominal_value(key: str) -> None:
    read = parse_metadata(f"R0: 1000\n{key}: 0\nEND".encode())
    assert getattr(read, key[:-1].lower())[2] == getattr(Calibration(), key[:-1].lower())[2]
    assert key in read.nominal
