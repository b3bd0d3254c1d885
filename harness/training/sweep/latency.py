"""Models the latency of a setting that no board was asked for, from a bandwidth sweep's samples of schemes that were.

The waiting time of a sample that is sent is fitted as a + b * payload + (c + d * payload) / rate over all samples of
the run that offload: b is the serial line to the module, a its dialogue, c headers and the reply. Device and edge times
are the run's medians for AgileNN, scaled by cycles or symbols. So every figure is modelled, whatever the samples were.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.runs.store import Store
from harness.runs.trained_rows import RATES

_NEEDED = ("rate_bps", "network_ms", "payload_bytes", "local_ms", "encode_ms", "remote_ms", "combine_ms")
_CURE = "make one: python -m harness.sweep bandwidth --out DIR, then give --run DIR"


@dataclass(frozen=True)
class Latency:
    """Holds a fitted run. Times are in ms; `worst` is the largest relative error of the fit over the samples it was
    made from.
    """

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
        """Return the waiting time less the edge's, ms."""
        a, b, c, d = self.weights
        return a + b * payload_bytes + (c + d * payload_bytes) / rate_bps

    def totals(
        self, payload_bytes: float, *, local_ms: float | None = None, symbols_factor: float = 1.0, sent: float = 1.0
    ) -> dict[str, float]:
        """Return the mean total at each of `RATES`, where the share `sent` of the samples leaves the device.

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
        """Say what the times are."""
        return (
            f"Times modelled: fitted to {self.samples} samples of {self.run}, "
            f"worst error of the fit {100 * self.worst:.1f} %"
        )


def newest(folder: Path, dataset: str) -> Path:
    """Return the newest bandwidth run of a data set below `folder`.

    Raises:
        BenchError: there is none.
    """
    found = []
    for manifest in folder.glob("**/manifest.json"):
        try:
            facts: dict[str, Any] = reading.json_of(manifest, "left out")
            fits = facts["axis"]["name"] == "bandwidth" and facts["dataset"]["name"] == dataset
            if fits and "agilenn" in facts["schemes"]:
                found.append((str(facts["began_at"]), manifest.parent))
        except (BenchError, KeyError, TypeError):
            continue  # another kind of run, or one half written
    if not found:
        raise BenchError(f"no bandwidth run of {dataset} below {folder}", cure=_CURE)
    return max(found)[1]


def fit(run: Path) -> Latency:
    """Fit the samples of a bandwidth run.

    Raises:
        BenchError: no such run, a damaged one, or one of too few samples or rates.
    """
    store = Store.reopen(run)
    schemes, rows = store.facts().schemes, _rows(store)
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
        of_weights=schemes["agilenn"].weights,
    )


def _rows(store: Store) -> list[dict[str, Any]]:
    """Return the measured samples with what is fitted to; a stage that did not take place counts as 0."""
    kept = [r for r in store.rows() if r["status"] == "ok" and not r["warmup"]]
    if any(r["rate_bps"] is None for r in kept):
        raise BenchError(f"{store.folder} knows no link rate", cure=_CURE)
    return [{"scheme": r["scheme"]} | {name: float(r[name] or 0.0) for name in _NEEDED} for r in kept]
