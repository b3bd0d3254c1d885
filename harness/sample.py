"""One row of samples.csv: a sample planned, measured or failed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.contracts.testbed import Source
from harness.measurements import DETAILS, ENERGY_METRICS, METRICS, SAMPLE_METRICS

SCHEMA_VERSION = 1

_LEADING = (
    "schema_version",
    "point_id",
    "order",
    "scheme",
    "dataset",
    "profile",
    "testbed",
    "rate_bps",
    "image",
    "warmup",
    "status",
    "error",
    "label",
    "predicted",
    "exited",
)
_TRAILING = ("delay_ms", "clock_hz", "local_predicted", "codec", "symbols", "retries", "sample_seed")
_BASIC = (*_LEADING, *SAMPLE_METRICS, *(m.source_column for m in SAMPLE_METRICS.values()), *DETAILS, *_TRAILING)
_ENERGY = (*ENERGY_METRICS, *(m.source_column for m in ENERGY_METRICS.values()), "energy_reason", "energy_rail")
COLUMNS = (*_BASIC, *_ENERGY)


@dataclass(frozen=True)
class Point:
    """One setting to measure; `point_id` is a hash of everything that the result depends on but the image."""

    scheme: str
    dataset: str
    profile: str
    testbed: str
    rate_bps: float | None  # None: the link is left as it is
    delay_ms: float = 0.0
    clock_hz: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)  # weights, firmware, link headers, pinned time, seed ...

    @property
    def point_id(self) -> str:
        """16 hex digits."""
        return content_hash({**{k: v for k, v in vars(self).items() if k != "facts"}, "facts": dict(self.facts)})


@dataclass(frozen=True)
class Planned:
    """One sample to take."""

    order: int
    point: Point
    image: int
    warmup: bool
    seed: int

    @property
    def key(self) -> str:
        """Equal for equal samples of any run: what resume goes by."""
        return f"{self.point.point_id}-{'w' if self.warmup else 'm'}{self.image}"


def content_hash(value: Any) -> str:
    """16 hex digits of SHA-256 over the canonical JSON of `value`."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def row(planned: Planned, label: int) -> dict[str, Any]:
    """A row with everything that is known before measuring, all else null."""
    point = planned.point
    known = {
        "schema_version": SCHEMA_VERSION,
        "point_id": point.point_id,
        "order": planned.order,
        "scheme": point.scheme,
        "dataset": point.dataset,
        "profile": point.profile,
        "testbed": point.testbed,
        "rate_bps": point.rate_bps,
        "delay_ms": point.delay_ms,
        "clock_hz": point.clock_hz,
        "image": planned.image,
        "warmup": planned.warmup,
        "label": label,
        "sample_seed": planned.seed,
    }
    return {column: known.get(column) for column in COLUMNS}


def failed(planned: Planned, label: int, error: str) -> dict[str, Any]:
    """The row of a sample that could not be measured: its values stay null."""
    return row(planned, label) | {"status": "failed", "error": error}


def with_sources(values: dict[str, Any], sources: Mapping[str, Source]) -> dict[str, Any]:
    """Add the source column of every metric that has a value."""
    return values | {
        METRICS[name].source_column: source for name, source in sources.items() if values.get(name) is not None
    }
