"""Latency of a setting that no board was asked for: from a bandwidth sweep's samples of schemes that were.

The waiting time of a sample that is sent is fitted as a + b * payload + (c + d * payload) / rate over all samples of
the run that offload: b is the serial line to the module, a its dialogue, c headers and the reply. Device and edge times
are the run's medians for AgileNN, scaled by cycles or symbols. So every figure is modelled, whatever the samples were.
"""

from __future__ import annotations

import csv
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness import parquet
from harness.contracts.errors import BenchError
from harness.store import PARQUET, SAMPLES

RATES = {"total_270k_ms": 270e3, "total_2m_ms": 2e6, "total_6m_ms": 6e6}  # the paper's Fig 23
_NEEDED = (
    "scheme",
    "status",
    "warmup",
    "rate_bps",
    "network_ms",
    "payload_bytes",
    "local_ms",
    "encode_ms",
    "remote_ms",
)
_CURE = "make one: python -m harness.sweep bandwidth --out DIR, then give --run DIR"


@dataclass(frozen=True)
class Latency:
    """A fitted run. Times in ms; `worst` is the largest relative error of the fit over the samples it was made from."""

    run: str
    weights: tuple[float, float, float, float]
    local_ms: float
    encode_ms: float
    combine_ms: float
    remote_ms: float
    samples: int
    worst: float
    of_weights: str = ""  # the run's AgileNN weights, where its manifest tells

    def network_ms(self, payload_bytes: float, rate_bps: float) -> float:
        """Waiting time less the edge's."""
        a, b, c, d = self.weights
        return a + b * payload_bytes + (c + d * payload_bytes) / rate_bps

    def totals(
        self, payload_bytes: float, *, local_ms: float | None = None, symbols_factor: float = 1.0, sent: float = 1.0
    ) -> dict[str, float]:
        """Mean total at each of `RATES`, where the share `sent` of the samples leaves the device.

        Args:
            local_ms: of the local graph, where it is not the run's.
            symbols_factor: symbols to encode, relative to the run's AgileNN.
        """
        local = self.local_ms if local_ms is None else local_ms
        rest = self.encode_ms * symbols_factor + self.remote_ms
        return {
            name: round(local + self.combine_ms + sent * (rest + self.network_ms(payload_bytes, rate)), 3)
            for name, rate in RATES.items()
        }

    @property
    def note(self) -> str:
        """What the times are."""
        return (
            f"Times modelled: fitted to {self.samples} samples of {self.run}, "
            f"worst error of the fit {100 * self.worst:.1f} %"
        )


def newest(folder: Path, dataset: str) -> Path:
    """The newest bandwidth run of a data set below `folder`.

    Raises:
        BenchError: there is none.
    """
    found = []
    for manifest in folder.glob("**/manifest.json"):
        try:
            facts: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
            fits = facts["axis"]["name"] == "bandwidth" and facts["dataset"]["name"] == dataset
            if fits and "agilenn" in facts["schemes"]:
                found.append((str(facts["began_at"]), manifest.parent))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # another kind of run, or one half written
    if not found:
        raise BenchError(f"no bandwidth run of {dataset} below {folder}", cure=_CURE)
    return max(found)[1]


def fit(run: Path) -> Latency:
    """Fit the samples of a bandwidth run.

    Raises:
        BenchError: no such run, or too few samples or rates.
    """
    rows = _rows(run)
    sent = [r for r in rows if r["payload_bytes"]]
    own = [r for r in sent if r["scheme"] == "agilenn"]
    if not own or len({r["rate_bps"] for r in sent}) < 3 or len({r["payload_bytes"] for r in sent}) < 2:
        raise BenchError(f"{run} has too few samples of AgileNN, rates or payloads to fit latency to", cure=_CURE)
    payload = np.array([r["payload_bytes"] for r in sent])
    rate = np.array([r["rate_bps"] for r in sent])
    wanted = np.array([r["network_ms"] for r in sent])
    terms = np.stack([np.ones_like(rate), payload, 1 / rate, payload / rate], axis=1)
    # Relative errors count alike at every rate; columns of like size keep the problem well conditioned.
    scale = np.abs(terms).max(axis=0)
    solved, *_ = np.linalg.lstsq(terms / scale / wanted[:, None], np.ones_like(wanted), rcond=None)
    weights = solved / scale
    worst = float(np.max(np.abs(terms @ weights / wanted - 1)))

    def median(name: str) -> float:
        return float(statistics.median([r[name] for r in own]))

    return Latency(
        run=run.name,
        weights=(float(weights[0]), float(weights[1]), float(weights[2]), float(weights[3])),
        local_ms=median("local_ms"),
        encode_ms=median("encode_ms"),
        combine_ms=median("combine_ms"),
        remote_ms=median("remote_ms"),
        samples=len(sent),
        worst=worst,
        of_weights=_weights(run / "manifest.json"),
    )


def _weights(manifest: Path) -> str:
    try:
        return str(json.loads(manifest.read_text(encoding="utf-8"))["schemes"]["agilenn"]["weights"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _rows(run: Path) -> list[dict[str, Any]]:
    path = run / SAMPLES
    try:
        if not path.exists() and (run / PARQUET).exists():  # a slim run
            kept: list[Any] = [r for r in parquet.read(run / PARQUET) if r["status"] == "ok" and not r["warmup"]]
        else:
            with path.open(encoding="utf-8", newline="") as f:
                kept = [r for r in csv.DictReader(f) if r["status"] == "ok" and r["warmup"] == "false"]
        return [{"scheme": r["scheme"], **_numbers(r)} for r in kept]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, TypeError) as e:
        raise BenchError(f"{path} can't be read as samples of a run ({e})", cure=_CURE) from e


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    names: Sequence[str] = (*_NEEDED[3:], "combine_ms")
    values = {name: float(row[name] or 0.0) for name in names}
    if not all(math.isfinite(v) for v in values.values()) or values["rate_bps"] <= 0:
        raise ValueError("a value is not finite")
    return values
