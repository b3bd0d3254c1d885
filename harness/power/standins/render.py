"""Renders a power timeline as a probe's samples: mean current of each sample, marker levels at its start."""

from __future__ import annotations

import numpy as np

from harness.contracts.probe import Bytes, Floats, PowerTimeline


def sample_count(timeline: PowerTimeline, rate_hz: float) -> int:
    """Count the whole samples in `timeline`, one at least."""
    return max(1, int(timeline.end_ms * rate_hz / 1e3 + 1e-6))


def render(timeline: PowerTimeline, rate_hz: float) -> tuple[Floats, Bytes]:
    """Return current (A, float64 [n]) and markers (uint8 [n]) of the n whole samples of `timeline`.

    A sample's current is the mean over its 1 / rate_hz seconds, so charge is kept exactly but for the last part sample.
    """
    n = sample_count(timeline, rate_hz)
    bounds_ms = np.arange(n + 1) * (1e3 / rate_hz)
    ends = np.append(timeline.start_ms, timeline.end_ms)
    charge = np.concatenate(([0.0], np.cumsum(np.diff(ends) * timeline.current_a)))  # A * ms
    current = np.diff(np.interp(bounds_ms, ends, charge)) / (1e3 / rate_hz)
    piece = np.searchsorted(timeline.start_ms, bounds_ms[:-1] + 1e-9, side="right") - 1
    return current, timeline.markers[piece]
