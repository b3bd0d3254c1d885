"""Checks the power probe: that it is there, samples without loss, and that its zero and a known load are right."""

from __future__ import annotations

import threading

from harness.contracts.probe import PowerProbe, Trace
from harness.doctor.report import Finding, Status
from harness.power.checks import ProbeCheck, check_known_load, check_zero
from harness.power.probes import ProbeConfig, open_probe

_RECORD_S = 1.5  # a clock fit wants more than a second
_MOST_DRIFT_PPM = 200.0


def probe(config: ProbeConfig | None, *, zero: bool, ohms: float | None, record_s: float = _RECORD_S) -> list[Finding]:
    """Check a probe by one recording.

    Args:
        zero: the user says that nothing is drawn now.
        ohms: the user says that a resistor of so many ohms, and nothing else, is on the rail.
    """
    if config is None:
        return [Finding("probe", "skip", "lab.toml names no [probe] for this testbed")]
    with open_probe(config) as instrument:
        return recorded(instrument, _record(instrument, record_s), zero=zero, ohms=ohms)


def recorded(instrument: PowerProbe, trace: Trace, *, zero: bool, ohms: float | None) -> list[Finding]:
    """Return what one recording tells of the probe."""
    out = [
        Finding("probe", "pass", f"{instrument.name} samples at {trace.rate_hz:g} Hz", values={"samples": len(trace)})
    ]
    if trace.lost_samples:
        said = f"{trace.lost_samples} of {len(trace)} samples were lost: such inferences get no energy"
        out.append(Finding("probe loss", "warn", said, "give it a USB port of its own"))
    else:
        out.append(Finding("probe loss", "pass", f"none of {len(trace)} samples was lost"))
    out.append(_clock(trace))
    if zero:
        out.append(_told("probe zero", check_zero(trace)))
    elif ohms is None:
        cure = "unplug the board from the probe and give --zero, or put a resistor there and give --known-load OHMS"
        out.append(Finding("probe zero", "skip", "something is drawn: zero can't be told", cure))
    if ohms is not None:
        out.append(_told("probe load", check_known_load(trace, ohms)))
    return out


def _record(instrument: PowerProbe, record_s: float) -> Trace:
    instrument.start()
    threading.Event().wait(record_s)
    return instrument.stop()


def _told(name: str, check: ProbeCheck) -> Finding:
    if check.passed is None:
        return Finding(name, "warn", f"can't tell: {check.remark}", "record with current and voltage, and longer")
    values = {"mean_a": check.measured_a, "expected_a": check.expected_a, "tolerance_a": check.tolerance_a}
    status: Status = "pass" if check.passed else "fail"
    return Finding(name, status, check.remark, "" if check.passed else "calibrate or replace the probe", values)


def _clock(trace: Trace) -> Finding:
    try:
        drift, residual = float(trace.info["clock_drift_ppm"]), float(trace.info["clock_residual_ms"])
    except (KeyError, ValueError):
        return Finding("probe clock", "skip", "this probe's clock was not compared with the host's")
    values = {"drift_ppm": drift, "residual_ms": residual, "offset_s": float(trace.info.get("clock_offset_s", "nan"))}
    said = f"{drift:+.0f} ppm against the host's, {residual:.2f} ms left over by a straight line"
    if abs(drift) > _MOST_DRIFT_PPM + residual * 1e3 / max(trace.duration_s, 1e-9):
        return Finding("probe clock", "warn", said, "uncounted samples may be lost: another USB port", values)
    return Finding("probe clock", "pass", said, values=values)
