"""Makes the rows of samples.csv: a sample planned, measured or failed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.contracts.testbed import Source
from harness.runs.columns import Column, Kind, declared
from harness.runs.measurements import DETAILS, ENERGY_METRICS, METRICS, POWER_METRICS, SAMPLE_METRICS, Metric

SCHEMA_VERSION = 1
_MOST_ERROR = 1000  # characters kept of what failed

# Never null.
_NAMED = declared(
    {
        "schema_version": "whole",
        "point_id": "text",
        "order": "whole",
        "scheme": "text",
        "dataset": "text",
        "profile": "text",
        "testbed": "text",
    },
    needed=True,
)
_TAKEN = declared({"image": "whole", "warmup": "flag", "status": "text"}, needed=True)
_SEEN = declared({"error": "text", "label": "whole", "predicted": "whole", "exited": "flag"})
_LEADING = _NAMED | declared({"rate_bps": "real"}) | _TAKEN | _SEEN
# Settings of the point and what else is known of a sample.
_TRAILING = declared(
    {
        "delay_ms": "real",
        "clock_hz": "whole",
        "local_predicted": "whole",
        "codec": "text",
        "symbols": "whole",
        "retries": "whole",
        "attempts": "whole",
        "sample_seed": "whole",
    }
)
_LINK = declared({"jitter_ms": "real", "loss": "real", "limit_packets": "whole", "link_verdict": "text"})


def _metrics(metrics: Mapping[str, Metric]) -> dict[str, Column]:
    values: dict[str, Kind] = {name: "whole" if metric.whole else "real" for name, metric in metrics.items()}
    return declared(values) | declared({metric.source_column: "text" for metric in metrics.values()})


_DETAILS = declared({name: "whole" if name.endswith(("_bytes", "_segments")) else "real" for name in DETAILS})
_ENERGY = _metrics(ENERGY_METRICS) | declared({"energy_reason": "text", "energy_rail": "text"})
BY_NAME: Mapping[str, Column] = (
    _LEADING | _metrics(SAMPLE_METRICS) | _DETAILS | _TRAILING | _ENERGY | _LINK | _metrics(POWER_METRICS)
)
COLUMNS = tuple(BY_NAME)

_ADDED = ("jitter_ms", "loss", "limit_packets")  # left out of the hash where unset: earlier runs had none


@dataclass(frozen=True)
class Point:
    """Describes one setting to measure; `point_id` is a hash of everything that the result depends on but the
    picture.
    """

    scheme: str
    dataset: str
    profile: str
    testbed: str
    rate_bps: float | None  # None: the link is left as it is
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    limit_packets: int | None = None
    clock_hz: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)  # weights, firmware, link headers, pinned time, seed ...

    @property
    def point_id(self) -> str:
        """Return 16 hex digits that name the point."""
        own = {k: v for k, v in vars(self).items() if k != "facts" and (v or k not in _ADDED)}
        return content_hash({**own, "facts": dict(self.facts)})


@dataclass(frozen=True)
class Planned:
    """Describes one sample to take."""

    order: int
    point: Point
    image: int
    warmup: bool
    seed: int
    extra: bool = False  # taken only while its point's interval is too wide (`sweep.repeat`)

    @property
    def key(self) -> str:
        """Return what is equal for equal samples of any run: resume goes by it."""
        return f"{self.point.point_id}-{'w' if self.warmup else 'm'}{self.image}"

    @property
    def sequence(self) -> int:
        """Derive the number of the request on the line, 1..65535, from the key.

        Other numbers have other bytes, which take the device a few other cycles to write and to read: a sample's place
        in the plan must not show in them.
        """
        return int(hashlib.sha256(self.key.encode()).hexdigest(), 16) % 0xFFFF + 1


def content_hash(value: Any) -> str:
    """Return 16 hex digits of SHA-256 over the canonical JSON of `value`."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def row(planned: Planned, label: int) -> dict[str, Any]:
    """Return a row with everything that is known before measuring, and all else null."""
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
        "jitter_ms": point.jitter_ms,
        "loss": point.loss,
        "limit_packets": point.limit_packets,
        "clock_hz": point.clock_hz,
        "image": planned.image,
        "warmup": planned.warmup,
        "label": label,
        "sample_seed": planned.seed,
    }
    return {column: known.get(column) for column in COLUMNS}


def failed(planned: Planned, label: int, error: str) -> dict[str, Any]:
    """Return the row of a sample that could not be measured: its values stay null."""
    return row(planned, label) | {"status": "failed", "error": error[:_MOST_ERROR]}


def with_sources(values: dict[str, Any], sources: Mapping[str, Source]) -> dict[str, Any]:
    """Add the source column of every metric that has a value."""
    return values | {
        METRICS[name].source_column: source for name, source in sources.items() if values.get(name) is not None
    }


def checked(row: Any) -> dict[str, Any]:
    """Return a row that was read from a file, with every column in its place; those that an older bench lacked are
    null.

    Raises:
        ValueError: it is no row of a sample, or one of a newer bench.
    """
    if not isinstance(row, dict):
        raise ValueError("a sample is not a set of columns")
    if row.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"a sample has schema_version {str(row.get('schema_version'))[:20]}, not {SCHEMA_VERSION}")
    if strange := sorted(str(name) for name in row.keys() - BY_NAME.keys()):
        raise ValueError(f"unknown column '{strange[0][:40]}': perhaps a newer bench wrote it")
    for name, column in BY_NAME.items():
        if (problem := column.problem(row.get(name))) is not None:
            raise ValueError(problem)
    if row["status"] not in ("ok", "failed"):
        raise ValueError(f"'status' is neither ok nor failed (got {row['status'][:20]!r})")
    return {name: row.get(name) for name in BY_NAME}
