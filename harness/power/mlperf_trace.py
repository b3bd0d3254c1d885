"""Reads the MLPerf Tiny runner's energy recordings by an X-NUCLEO-LPM01A.

`*-energy.bin`: one byte 0xF1, the sample rate in Hz as little-endian float32, then a float32 a sample: the energy of
that sample, uJ. `*-timestamps.json`: seconds of marker edges; the first opens the trace, then start and end of each
window of inferences. A submission's figure is the median over the windows of energy / inferences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.probe import Trace
from harness.power.energy import window_energy_uj

MAGIC = 0xF1
_HEADER_BYTES = 5
_MAX_BYTES = 1 << 30
_MAX_RATE_HZ = 1e7


@dataclass(frozen=True)
class WindowEnergies:
    """Holds the energy per inference of each window and their median, uJ."""

    per_inference_uj: tuple[float, ...]
    inferences: int

    @property
    def median_uj(self) -> float:
        """Return the published figure."""
        return median(self.per_inference_uj)


def read_mlperf_trace(path: Path) -> Trace:
    """Read `path` (`*-energy.bin`).

    Raises:
        BenchError: unreadable, or not of that format, naming what is wrong.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BenchError(f"{path} is larger than 1 GiB", cure="is it an energy trace?")
        data = path.read_bytes()
    except OSError as e:
        raise BenchError(f"{path} can't be read ({e.strerror})", cure="check the path") from e
    return parse_mlperf_trace(data, str(path))


def parse_mlperf_trace(data: bytes, name: str = "the trace") -> Trace:
    """Read a recording as `read_mlperf_trace` does, from the file's bytes."""
    cure = "is it the runner's *-energy.bin?"
    if len(data) < _HEADER_BYTES or data[0] != MAGIC:
        raise BenchError(f"{name} doesn't begin like an MLPerf Tiny energy trace", cure=cure)
    rate_hz = float(np.frombuffer(data, dtype="<f4", count=1, offset=1)[0])
    if not (math.isfinite(rate_hz) and 0 < rate_hz <= _MAX_RATE_HZ):
        raise BenchError(f"{name} has a sample rate of {rate_hz:g} Hz", cure=cure)
    if (len(data) - _HEADER_BYTES) % 4:
        raise BenchError(f"{name} ends inside a sample", cure="copy it again")
    with np.errstate(invalid="ignore"):  # a signalling NaN in damaged bytes stays a NaN
        energy_uj = np.frombuffer(data, dtype="<f4", offset=_HEADER_BYTES).astype(np.float64)
    return Trace(
        rate_hz=rate_hz,
        source="measured",
        probe="X-NUCLEO-LPM01A, MLPerf Tiny runner",
        rail="as submitted",
        energy_uj=energy_uj,
        lost=~np.isfinite(energy_uj),
    )


def read_timestamps(path: Path) -> list[float]:
    """Return the marker edges (s) of `*-timestamps.json`.

    Raises:
        BenchError: unreadable, or not an ascending list of 1 + 2 n numbers.
    """
    return check_timestamps(reading.json_of(path, "check the path, or copy it again"), str(path))


def check_timestamps(edges: object, name: str = "the time stamps") -> list[float]:
    """Return `edges` as a list of float, checked."""
    cure = "is it the runner's *-timestamps.json?"
    if not isinstance(edges, list) or not all(isinstance(e, int | float) and not isinstance(e, bool) for e in edges):
        raise BenchError(f"{name} is no list of numbers", cure=cure)
    try:
        times = [float(e) for e in edges]
    except OverflowError as e:
        raise BenchError(f"{name} holds a number too large", cure=cure) from e
    if not all(math.isfinite(t) for t in times) or any(b <= a for a, b in pairwise(times)):
        raise BenchError(f"{name} doesn't ascend", cure=cure)
    if len(times) < 3 or len(times) % 2 == 0:
        raise BenchError(f"{name} holds {len(times)} edges, not 1 + 2 a window", cure=cure)
    return times


def window_energies(trace: Trace, edges_s: list[float], inferences: int) -> WindowEnergies:
    """Return the energy per inference of each window.

    Raises:
        BenchError: a window leaves the trace or holds lost samples.
    """
    if inferences < 1:
        raise BenchError(f"{inferences} inferences a window", cure="1 or more")
    windows = zip(edges_s[1::2], edges_s[2::2], strict=True)
    try:
        return WindowEnergies(tuple(window_energy_uj(trace, a, b) / inferences for a, b in windows), inferences)
    except ValueError as e:
        raise BenchError(str(e), cure="do trace and time stamps belong together?") from e
