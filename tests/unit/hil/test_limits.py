"""Limits of bench files: with units, by scheme, and none that is never held against anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.contracts.errors import BenchError
from harness.contracts.testbed import TestbedDescription
from harness.hil import limits
from testbeds.benchfile import describe, read_bench_file

BENCH = """
title = "a board"
target = "native"
clock_hz = 100_000_000
ram_bytes = 0
flash_bytes = 0
console_baud = 115_200
module_baud = 115_200
time_source = "measured"
[limits]
"""


def _board(folder: Path, text: str) -> TestbedDescription:
    (folder / "bench.toml").write_text(BENCH + text)
    return describe("board", read_bench_file(folder / "bench.toml"))


def test_a_limit_of_one_scheme_stands_before_that_of_all(tmp_path: Path) -> None:
    board = _board(
        tmp_path, 'latency_ms = "30 ms"\n"near.total_ms" = "0.01 s"\n"near.energy_uj" = "4 mJ"\nflash_bytes = "1 MiB"\n'
    )
    limits.check(board, ["near", "far"])
    assert limits.of(board, "near", "_ms") == {"total_ms": 10.0}
    assert limits.of(board, "far", "_ms") == {"total_ms": 30.0}
    assert limits.of(board, "near", "_uj") == {"energy_uj": 4000.0}
    assert limits.of(board, "far", "_uj") == {}
    assert board.limits["flash_bytes"] == 1_048_576


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('latency_ms = "30 mJ"', "'latency_ms' can't be '30 mJ'"),
        ("latency_ms = true", "'latency_ms' is no limit"),
        ("latency_ms = [1]", "'latency_ms' is no limit"),
        ("speed = 3", "'speed' has no unit"),
        ("latency_ms = -1", "'latency_ms' can't be -1"),
    ],
)
def test_a_limit_that_is_none_is_told_with_its_file(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BenchError, match=told) as caught:
        _board(tmp_path, text)
    assert "bench.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_limit_of_nothing_that_is_measured_is_refused(tmp_path: Path) -> None:
    board = _board(tmp_path, "")
    for name, told in (("colour_ms", "unknown 'colour_ms'"), ("moon.total_ms", "unknown scheme 'moon'")):
        with pytest.raises(BenchError, match=told):
            limits.check(replace(board, limits={name: 1.0}), ["near"])
