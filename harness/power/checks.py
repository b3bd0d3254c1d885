"""Says whether the probe is to be believed: zero and known-load checks over a trace; each says when it can't tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.contracts.probe import Trace

MIN_SAMPLES = 100


@dataclass(frozen=True)
class ProbeCheck:
    """Holds the outcome of one check, for the doctor's table."""

    name: str
    passed: bool | None  # None: it could not be told
    measured_a: float | None
    expected_a: float
    tolerance_a: float
    remark: str


def check_zero(trace: Trace, tolerance_a: float = 20e-6) -> ProbeCheck:
    """Check that the mean is within `tolerance_a` of 0 while nothing is drawn (board unplugged)."""
    return _check("zero", trace, 0.0, tolerance_a)


def check_known_load(trace: Trace, ohms: float, tolerance: float = 0.02) -> ProbeCheck:
    """Check that the mean current is V / R within the share `tolerance`, with a resistor of `ohms` on the rail.

    Raises:
        ValueError: a resistance that is not above 0.
    """
    if not (np.isfinite(ohms) and ohms > 0):
        raise ValueError(f"a load has more than 0 ohm (got {ohms})")
    if trace.voltage_v is None:
        return ProbeCheck("known load", None, None, float("nan"), float("nan"), "the probe gives no voltage")
    expected = float(np.nanmean(trace.voltage_v)) / ohms
    return _check("known load", trace, expected, abs(expected) * tolerance)


def _check(name: str, trace: Trace, expected: float, tolerance: float) -> ProbeCheck:
    if trace.current_a is None:
        return ProbeCheck(name, None, None, expected, tolerance, "the probe gives energy, not current")
    good = trace.current_a[np.isfinite(trace.current_a)]
    if len(good) < MIN_SAMPLES:
        return ProbeCheck(name, None, None, expected, tolerance, f"{len(good)} samples, {MIN_SAMPLES} are needed")
    mean = float(good.mean())
    off = abs(mean - expected)
    remark = f"mean {mean * 1e3:.4f} mA, expected {expected * 1e3:.4f} +- {tolerance * 1e3:.4f} mA"
    if np.ptp(good) == 0 and expected == 0 and mean == 0 and len(good) > MIN_SAMPLES:
        return ProbeCheck(name, None, mean, expected, tolerance, "every sample is exactly 0: is the probe measuring?")
    return ProbeCheck(name, off <= tolerance, mean, expected, tolerance, remark)
