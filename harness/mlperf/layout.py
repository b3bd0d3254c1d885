"""Writes a submission's results layout: results/<system>/<benchmark>/{performance,accuracy}/{log,results}.txt,
script.async.

`log.txt` (every line both ways, with host seconds) and `predictions.csv` grow while the run goes on, so a run that is
stopped leaves what it had. `results.txt` and `results.json` come at the end, whole or not at all. `results.json` is
ours: the same figures with their sources.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from harness.contracts.clock import Clock, HostClock
from harness.contracts.errors import BenchError
from harness.mlperf.client import Identity
from harness.mlperf.inputs import InputSet
from harness.mlperf.procedures import Accuracy, Performance, Prediction

SCHEMA_VERSION = 1
WHO = "ulp-mlperf"  # how the public runner signs its lines; parsers of submissions look for it
_BENCHMARKS = {"ic": "ic", "vww": "vww", "kws": "kws", "ad": "ad"}
_RULE = "-" * 57


def benchmark_of(model: str) -> str:
    """Return the benchmark of a model: ic01 -> ic and so on; another model keeps its own (cleaned) name."""
    known = re.fullmatch(r"([a-z]+)\d\d", model)
    return _BENCHMARKS.get(known[1], clean(model)) if known else clean(model)


def clean(name: str) -> str:
    """Return `name` as a folder name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:64] or "unnamed"


class Record:
    """Writes the folder of one procedure. It is a context manager.

    Args:
        root: the output folder; results/<system>/<benchmark>/<procedure> is made below it.
        overwrite: replace an earlier run's files.

    Raises:
        BenchError: there are results of an earlier run, or the folder can't be written.
    """

    def __init__(
        self,
        root: Path,
        system: str,
        model: str,
        procedure: str,
        *,
        overwrite: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.folder = root / "results" / clean(system) / benchmark_of(model) / procedure
        self._clock = clock or HostClock()
        self._start_ms = self._clock.now_ms()
        self._csv: TextIO | None = None
        if (self.folder / "results.txt").exists() and not overwrite:
            raise BenchError(
                f"{self.folder} holds results already", cure="choose another --out or --system, or add --overwrite"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for old in ("results.txt", "results.json", "predictions.csv"):
                (self.folder / old).unlink(missing_ok=True)
            self._log = (self.folder / "log.txt").open("w", encoding="utf-8", buffering=1)
        except OSError as e:
            raise BenchError(f"{self.folder} can't be written ({e.strerror})", cure="choose another --out") from e

    def __enter__(self) -> Record:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.close()
        if self._csv:
            self._csv.close()

    def heard(self, who: str, line: str) -> None:
        """Write a line of the host or the device into log.txt."""
        self._log.write(f"{self._seconds()} {who}: {line}\n")

    def script(self, steps: Iterable[tuple[str, int, int]]) -> None:
        """Write script.async: (input file, iterations, warmups) in order, as commands of the public runner."""
        commands = ["dut profile", "dut timestamp"]
        for name, iterations, warmups in steps:
            commands += [f'bload dut "{name}"', f"dut infer {iterations} {warmups}"]
        self._whole("script.async", json.dumps([{"cmd": command} for command in commands], indent=4) + "\n")

    def prediction(self, one: Prediction) -> None:
        """Append a row to predictions.csv."""
        if self._csv is None:
            self._csv = (self.folder / "predictions.csv").open("w", encoding="utf-8", buffering=1, newline="")
            self._csv.write("input,label,predicted,scores\n")
        row = io.StringIO()
        scores = " ".join(f"{score:g}" for score in one.scores)
        csv.writer(row, lineterminator="\n").writerow([one.input.name, one.input.label, one.predicted, scores])
        self._csv.write(row.getvalue())

    def performance(self, result: Performance, facts: dict[str, Any]) -> None:
        """Write results.txt and results.json of a performance run."""
        lines: list[str] = []
        for number, window in enumerate(result.windows, start=1):
            met = window.elapsed_us >= 10e6
            lines += [
                f"Performance results for window {number}:",
                f"  # Inferences : {window.iterations:>12}",
                f"  Runtime      : {window.elapsed_us / 1e6:>12.3f} sec.",
                f"  Throughput   : {window.inferences_per_s:>12.3f} inf./sec.",
                "Runtime requirements have been met."
                if met
                else "Runtime requirements have NOT been met: the window is shorter than 10 seconds.",
            ]
        lines += [_RULE, f"Median throughput is {result.median_inferences_per_s:>10.3f} inf./sec.", _RULE]
        self._results(lines)
        windows = [
            {"input": w.input_name, "iterations": w.iterations, "elapsed_us": w.elapsed_us} for w in result.windows
        ]
        figures = {
            "median_inferences_per_s": result.median_inferences_per_s,
            "median_latency_ms": result.median_latency_ms,
            "windows_of_10_s": result.meets_rules,
            "windows": windows,
        }
        self._json("performance", figures, facts)

    def accuracy(self, result: Accuracy, facts: dict[str, Any]) -> None:
        """Write results.txt and results.json of an accuracy run."""
        lines = [f"Top-1: {100 * result.top1:.1f}%"]
        lines += [] if result.auc is None else [f"AUC: {result.auc:.2f}"]
        self._results(lines)
        self._json("accuracy", {"n": result.n, "top1": result.top1, "auc": result.auc}, facts)

    def _results(self, lines: Sequence[str]) -> None:
        self._whole("results.txt", "".join(f"{self._seconds()} {WHO}: {line}\n" for line in lines))

    def _json(self, procedure: str, figures: dict[str, Any], facts: dict[str, Any]) -> None:
        document = {"schema_version": SCHEMA_VERSION, "procedure": procedure, **facts, **figures}
        self._whole("results.json", json.dumps(document, indent=2, sort_keys=True) + "\n")

    def _whole(self, name: str, text: str) -> None:
        """Write a file whole or not at all."""
        part = self.folder / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(self.folder / name)

    def _seconds(self) -> str:
        return f"{(self._clock.now_ms() - self._start_ms) / 1e3:09.3f}"


def facts_of(
    identity: Identity, inputs: InputSet, *, system: str, time_source: str, remarks: str, recovered: int
) -> dict[str, Any]:
    """Return what stands beside every figure in results.json."""
    return {
        "system": system,
        "device": identity.name,
        "profile": identity.profile,
        "model": identity.model,
        "inputs": inputs.source,
        "time_source": time_source,
        "remarks": remarks,
        "recovered": recovered,
    }
