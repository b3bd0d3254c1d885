"""The latency to expect of a scheme that exits early on some pictures.

A handful of timed pictures says little of how many exit; the whole test set says it exactly. So both kinds of latency
are taken from the timed pictures, and weighted by the test set's share of exits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import stats
from harness.measurements import STAGES
from harness.tables import Accuracy, Cell


@dataclass(frozen=True)
class Expected:
    """ms, None where nothing was timed. `mean` is over the test set's exits; without any it is the median."""

    mean_ms: float | None
    offloaded_ms: float | None
    exited_ms: float | None
    stages_ms: Mapping[str, float | None]
    payload_bytes: float | None  # of a picture that is sent
    exited_share: float  # of the test set


def expected(cell: Cell, accuracy: Accuracy | None) -> Expected:
    """Latency and stages of one scheme at one value of the axis.

    Where no timed picture exited, an exit's latency is what the device does on every picture: local and combine.
    """
    sent = [r for r in cell.rows if not r["exited"]]
    left = [r for r in cell.rows if r["exited"]]
    share = accuracy.exited / accuracy.n if accuracy else len(left) / max(1, len(cell.rows))
    if not share:
        stages = {f"{stage}_ms": cell.median(f"{stage}_ms") for stage in STAGES}
        middle = stats.median([float(r["total_ms"]) for r in sent])
        return Expected(middle, middle, None, stages, cell.median("payload_bytes"), 0.0)
    offloaded = _means(sent)
    exited = _means(left)
    if not left and sent:
        exited = {name: value if name in ("local_ms", "combine_ms") else 0.0 for name, value in offloaded.items()}
        exited["total_ms"] = (exited["local_ms"] or 0.0) + (exited["combine_ms"] or 0.0)
    together = {name: _weighted(share, exited[name], offloaded[name]) for name in exited}
    total = together.pop("total_ms")
    payload = _mean(sent, "payload_bytes")
    return Expected(total, offloaded["total_ms"], exited["total_ms"], together, payload, share)


def _means(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    return {name: _mean(rows, name) for name in ("total_ms", *(f"{stage}_ms" for stage in STAGES))}


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    return float(np.mean([float(r[name]) for r in rows])) if rows else None


def _weighted(share: float, exited: float | None, offloaded: float | None) -> float | None:
    if exited is None or (offloaded is None and share < 1):
        return None
    return share * exited + (1 - share) * (offloaded or 0.0)
