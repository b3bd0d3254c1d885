"""Plays a recording back as a probe: our own Parquet and CSV, and the MLPerf Tiny runner's LPM01A files."""

from __future__ import annotations

from pathlib import Path

from harness.contracts.errors import BenchError
from harness.contracts.probe import PowerProbe, Source, Trace
from harness.power.mlperf_trace import read_mlperf_trace
from harness.power.trace import read_trace


def read_any(path: Path) -> Trace:
    """Read a trace by the ending of `path`: .parquet and .csv are ours, .bin is the MLPerf Tiny runner's.

    Raises:
        BenchError: unreadable, or of another kind.
    """
    if path.suffix in (".parquet", ".csv"):
        return read_trace(path)
    if path.suffix == ".bin":
        return read_mlperf_trace(path)
    raise BenchError(f"{path}: no kind of trace is known by this ending", cure="give .parquet, .csv or .bin")


class ReplayProbe(PowerProbe):
    """Answers every recording with the trace of `path`, with that trace's own source, probe and rail."""

    name = "replay"
    source: Source

    def __init__(self, path: Path) -> None:
        self._trace = read_any(path)
        self.name = f"replay of {self._trace.probe}"
        self.source = self._trace.source
        self.rate_hz = self._trace.rate_hz
        self._recording = False

    def start(self) -> None:
        if self._recording:
            raise BenchError("the replay is recording already", cure="stop it first")
        self._recording = True

    def stop(self) -> Trace:
        if not self._recording:
            raise BenchError("the replay is not recording", cure="start it first")
        self._recording = False
        return self._trace

    def close(self) -> None:
        self._recording = False
