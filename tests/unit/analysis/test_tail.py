"""Percentiles only where n carries them, and deadlines with their intervals."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis import tail
from harness.analysis.cells import cells

from ...support import runs

TITLES, SHOW = {"agilenn": "AgileNN"}, {6e6: "6 Mbit/s"}


def _told(latencies: list[float], failed: int = 0, deadline_ms: float | None = None) -> dict[str, Any]:
    rows = [runs.measured(i, i, total_ms=ms) for i, ms in enumerate(latencies)]
    rows += [runs.measured(900 + i, 900 + i, status="failed", total_ms=None) for i in range(failed)]
    (line,) = tail.rows(cells(rows, "rate_bps"), "bandwidth", deadline_ms)
    return line


def test_percentiles_need_five_samples_beyond_them() -> None:
    few = _told([float(i) for i in range(40)])
    assert [few[f"total_ms_p{q}"] for q in tail.PERCENTILES] == [None, None, None]
    some = _told([float(i) for i in range(100)])
    assert some["total_ms_p95"] == pytest.approx(94.05)
    assert some["total_ms_p99"] is None
    assert _told([float(i) for i in range(500)])["total_ms_p99"] is not None
    header, (line,) = tail.lines([some], TITLES, SHOW)
    assert dict(zip(header, line, strict=True))["p99 ms"] == "n too small"


def test_a_failed_sample_has_missed_its_deadline() -> None:
    line = _told([10.0] * 17 + [40.0], failed=2, deadline_ms=30.0)
    assert (line["missed"], line["missed_share"]) == (3, 0.15)
    assert line["missed_share_low"] < 0.15 < line["missed_share_high"]
    header, (text,) = tail.lines([line], TITLES, SHOW)
    assert header[-1] == "over 30 ms"
    assert text[-1].startswith("3 of 20, 15.0 % [")


def test_on_the_deadline_is_in_time() -> None:
    assert _told([30.0] * 5, deadline_ms=30.0)["missed"] == 0


def test_without_a_deadline_nothing_is_said_of_one() -> None:
    line = _told([10.0] * 5)
    assert "missed" not in line
    header, (text,) = tail.lines([line], TITLES, SHOW)
    assert len(header) == len(text) == 7
    assert set(line) <= set(tail.COLUMNS)
