"""Finds how two clocks relate: offset, drift and what a straight line leaves over. All functions are pure.

Host, device and probe each count their own time. Pairs of readings taken together (a read of the probe's stream and
the host's monotonic clock; a marker edge seen by the probe and stamped by the device) give a line; its residual tells
whether the line is to be believed: a step in it is samples that nobody counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MIN_PAIRS = 3


@dataclass(frozen=True)
class ClockFit:
    """Holds other = offset_s + reference * (1 + drift_ppm / 1e6), with `residual_s` the largest distance from it."""

    offset_s: float
    drift_ppm: float
    residual_s: float
    residual_rms_s: float
    pairs: int

    def to_reference(self, other_s: float) -> float:
        """Return the reference clock's reading at the other clock's `other_s`."""
        return (other_s - self.offset_s) / (1 + self.drift_ppm / 1e6)

    def to_other(self, reference_s: float) -> float:
        """Return the other clock's reading at the reference clock's `reference_s`."""
        return self.offset_s + reference_s * (1 + self.drift_ppm / 1e6)


def fit_clocks(reference_s: Sequence[float], other_s: Sequence[float]) -> ClockFit | None:
    """Fit paired readings by least squares; None when they can't tell (fewer than 3, or no time passed).

    Raises:
        ValueError: the lists differ in length, or hold what is not finite.
    """
    x, y = np.asarray(reference_s, dtype=np.float64), np.asarray(other_s, dtype=np.float64)
    if x.shape != y.shape:
        raise ValueError(f"{x.size} readings of one clock and {y.size} of the other")
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        raise ValueError("a clock reading is not finite")
    if x.size < MIN_PAIRS or np.ptp(x) <= 0:
        return None
    x0, y0 = float(x.mean()), float(y.mean())
    dx, dy = x - x0, y - y0
    slope = float(np.dot(dx, dy) / np.dot(dx, dx))
    left = dy - slope * dx
    return ClockFit(
        offset_s=y0 - slope * x0,
        drift_ppm=(slope - 1) * 1e6,
        residual_s=float(np.max(np.abs(left))),
        residual_rms_s=float(np.sqrt(np.mean(left**2))),
        pairs=int(x.size),
    )


def fit_lower_envelope(reference_s: Sequence[float], other_s: Sequence[float], blocks: int = 16) -> ClockFit | None:
    """Fit as `fit_clocks` does, for readings that only ever come late (a stream read through buffers).

    `reference_s` is the reading host's clock, delayed by an unknown wait >= 0. In each of `blocks` stretches the
    reading that waited least is kept. None when fewer than 3 stretches have readings.
    """
    x, y = np.asarray(reference_s, dtype=np.float64), np.asarray(other_s, dtype=np.float64)
    if x.shape != y.shape or x.size < MIN_PAIRS:
        return fit_clocks(reference_s, other_s)
    kept = [part[np.argmin(x[part] - y[part])] for part in np.array_split(np.arange(x.size), min(blocks, x.size))]
    return fit_clocks(x[kept].tolist(), y[kept].tolist())
