"""A timeline of one inference that every test of this folder measures."""

from __future__ import annotations

import numpy as np
import pytest

from harness.contracts.probe import PowerTimeline


def make_timeline(scale_a: float = 1.0, voltage_v: float = 3.3, stretch: float = 1.0) -> PowerTimeline:
    """2 ms idle, local 10, encode 2, network 46, combine 1, idle 4 ms (each times `stretch`)."""
    return PowerTimeline(
        start_ms=np.array([0.0, 2.0, 12.0, 14.0, 60.0, 61.0]) * stretch,
        current_a=np.array([0.21, 0.30, 0.31, 0.40, 0.30, 0.21]) * scale_a,
        markers=np.array([0b000, 0b001, 0b011, 0b010, 0b110, 0b000], dtype=np.uint8),
        end_ms=65.0 * stretch,
        voltage_v=voltage_v,
        rail="test rail",
    )


def exact_uj(timeline: PowerTimeline) -> float:
    """Energy between the marker edges, uJ."""
    ms = np.diff(np.append(timeline.start_ms, timeline.end_ms))
    busy = timeline.markers != 0
    return float(np.sum((ms * timeline.current_a)[busy]) * timeline.voltage_v * 1e3)


@pytest.fixture
def timeline() -> PowerTimeline:
    return make_timeline()
