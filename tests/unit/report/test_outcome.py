"""What the sweep says of its own numbers."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis.cells import cells
from harness.measure.axes import axis
from harness.report import outcome

pytestmark = pytest.mark.slow


def _row(image: int, rate: float, total: float | None) -> dict[str, Any]:
    status = "failed" if total is None else "ok"
    fixed = {"scheme": "far", "warmup": False, "exited": False, "retries": 0, "total_ms_source": "modelled"}
    return fixed | {"image": image, "rate_bps": rate, "total_ms": total, "status": status}


def test_failures_outliers_and_repeats_are_told_once_each() -> None:
    rows = [_row(i, rate, 10 + i / 10) for rate in (1e6, 6e6) for i in range(8)]
    rows += [_row(77, rate, 90.0) for rate in (1e6, 6e6)] + [_row(78, 6e6, None)]
    rows[0]["retries"] = 2
    said = outcome.warnings(cells(rows, "rate_bps"), rows, axis("bandwidth"))
    assert said == [
        "far at 6 Mbit/s: 1 of 10 samples failed, see samples.csv",
        "far: latency of image 77 is far from the others' at 1 Mbit/s, 6 Mbit/s (kept)",
        "2 requests to the device had to be repeated",
    ]


def test_nothing_to_say_of_steady_numbers() -> None:
    rows = [_row(i, 1e6, 10 + i / 10) for i in range(8)]
    assert outcome.warnings(cells(rows, "rate_bps"), rows, axis("bandwidth")) == []


def test_pictures_that_are_sent_are_no_outliers_of_those_that_exit() -> None:
    rows = [_row(i, 1e6, 8 + i / 100) | {"exited": True} for i in range(8)] + [_row(9, 1e6, 90.0)]
    assert outcome.warnings(cells(rows, "rate_bps"), rows, axis("bandwidth")) == []
