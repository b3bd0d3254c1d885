"""Evaluates a point over the whole test set, of which a few pictures were timed and all payloads were counted.

What a picture takes is a law in the bytes that it sends: affine, but for a link that cuts messages into packets, and a
modelled link's part is computed (`harness.analysis.chance`). The law is fitted to the timed pictures of that very
point, and each of them checks it: left out of the fit, it must be met within `TOLERANCE`. Mean and percentiles are then
those of the histogram of all payloads, early exits with their share of the test set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from harness.analysis.chance import Chance, Outcomes, quantile
from harness.analysis.chance import mean as expectation
from harness.analysis.stats import Interval
from harness.analysis.stats import mean as average
from harness.runs.measurements import ENERGY_METRICS, STAGES

Histogram = tuple[tuple[int, int], ...]  # (bytes of a message, pictures), ascending

TOLERANCE = 0.01  # of a timed picture's latency, by which the law may miss it
_BINS = 24  # of payloads, where every one would be followed through all that losses may do
_LINKED = ("total_ms", "network_ms")
_CONSTANT = ("remote_ms", "remote_wall_ms")  # the edge's part knows nothing of bytes
_AFFINE = (
    *("total_ms", *(f"{stage}_ms" for stage in STAGES), *ENERGY_METRICS),
    *("payload_bytes", "mqtt_bytes", "wire_bytes", "device_cycles"),
)
LEAST = 3  # timed pictures that are sent: two make a law, and a third one checks it


@dataclass(frozen=True)
class Law:
    """Holds `fixed + per_byte * payload_bytes`, in the unit of what it was fitted to."""

    fixed: float
    per_byte: float
    misses: tuple[float | None, ...]  # by how much each value is missed by the fit to all others; None: can't be told
    error: float  # standard error of the values around the law
    centre: float  # mean payload of the fit
    spread: float  # sum of squared distances from it

    def at(self, payload_bytes: float) -> float:
        """Return the value at a payload."""
        return self.fixed + self.per_byte * payload_bytes

    def error_of_mean(self, payload_bytes: float) -> float:
        """Return the standard error of the law's value at a mean payload."""
        aside = (payload_bytes - self.centre) ** 2 / self.spread if self.spread else 0.0
        return self.error * math.sqrt(1 / len(self.misses) + aside)


def fit(payloads: Sequence[float], values: Sequence[float]) -> Law:
    """Fit a law by least squares; of equal payloads a constant one."""
    x, y = np.asarray(payloads, float), np.asarray(values, float)
    n, centre = len(x), float(x.mean())
    spread = float(((x - centre) ** 2).sum())
    per_byte = float(((x - centre) * (y - y.mean())).sum() / spread) if spread else 0.0
    rest = y - y.mean() - per_byte * (x - centre)
    leverage = 1 / n + ((x - centre) ** 2 / spread if spread else np.zeros(n))
    misses = tuple(None if h > 1 - 1e-9 else float(r / (1 - h)) for r, h in zip(rest, leverage, strict=True))
    free = n - (2 if spread else 1)
    error = math.sqrt(float((rest**2).sum()) / free) if free > 0 else 0.0
    return Law(float(y.mean()) - per_byte * centre, per_byte, misses, error, centre, spread)


@dataclass(frozen=True)
class WholeSet:
    """Holds what is known of a point: its timed pictures that were sent, all payloads, exits and the link."""

    rows: tuple[Mapping[str, Any], ...]
    payloads: Histogram
    exits: float  # share of the test set, 0..1
    left: Callable[[str], Sequence[float]]  # values of a metric of an exit
    link: Chance | None

    @property
    def pictures(self) -> int:
        """Return the pictures that are sent, of the whole test set."""
        return sum(n for _, n in self.payloads)

    @property
    def mean_bytes(self) -> float:
        """Return the mean payload of the pictures that are sent."""
        return sum(size * n for size, n in self.payloads) / self.pictures

    @property
    def outside(self) -> float:
        """Return the share of the sent pictures whose payload lies beyond the timed ones."""
        sizes = [int(r["payload_bytes"]) for r in self.rows]
        return sum(n for size, n in self.payloads if not min(sizes) <= size <= max(sizes)) / self.pictures

    def payload_percentile(self, q: float) -> float:
        """Return the q-th percentile of the payloads that are sent, in bytes."""
        return quantile([(float(size), float(n)) for size, n in self.payloads], q / 100)

    def worst_miss(self) -> float | None:
        """Return by what share of its latency the law misses a timed picture at most; None where none can check it."""
        told = zip(self._law("total_ms").misses, self.rows, strict=True)
        shares = [abs(miss) / float(r["total_ms"]) for miss, r in told if miss is not None and r["total_ms"]]
        return max(shares, default=None)

    def sent_mean(self, metric: str) -> float | None:
        """Return the mean of a metric over the pictures that are sent; None where it was not taken of all timed."""
        if metric == "payload_bytes":
            return self.mean_bytes
        if metric == "wire_bytes" and self.link is not None:
            sizes = [self.link.wire_bytes(self._packet(size), self.rows[0]) * n for size, n in self.payloads if size]
            return sum(sizes) / self.pictures
        if any(r.get(metric) is None for r in self.rows):
            return None
        if metric in _CONSTANT:
            return average([float(r[metric]) for r in self.rows])
        if metric not in _AFFINE:
            return None
        on_link = self._on_link_ms if self._linked(metric) else 0.0
        return self._law(metric).at(self.mean_bytes) + on_link

    def mean(self, metric: str) -> float | None:
        """Return the mean of a metric over the whole test set, early exits included; None where it is not known."""
        sent, gone = self.sent_mean(metric), average(self.left(metric)) if self.exits else 0.0
        return None if sent is None or gone is None else self.exits * gone + (1 - self.exits) * sent

    def interval(self, metric: str) -> Interval | None:
        """Return `mean` with what the law's fit leaves open (1.96 standard errors); None where it is not known.

        No interval where fewer than five pictures were timed, as elsewhere.
        """
        middle = self.mean(metric)
        if middle is None:
            return None
        n = round(self.pictures / (1 - self.exits))
        if len(self.rows) < 5:
            return Interval(middle, None, None, n)
        open_ = 0.0
        if metric not in ("payload_bytes", "wire_bytes", *_CONSTANT):
            open_ = 1.96 * (1 - self.exits) * self._law(metric).error_of_mean(self.mean_bytes)
        return Interval(middle, middle - open_, middle + open_, n)

    def mixture(self) -> list[tuple[float, float]]:
        """Return latencies (ms) of all pictures with weights that add up to 1, and with what losses may do to each."""
        law, whole = self._law("total_ms"), self.pictures
        gone = self.left("total_ms") if self.exits else ()
        found = [(ms, self.exits / len(gone)) for ms in gone]
        for size, n in self._bins:
            share = (1 - self.exits) * n / whole
            found += [(law.at(size) + ms, p * share) for ms, p in self._outcomes(size)]
        return found

    def _linked(self, metric: str) -> bool:
        return metric in _LINKED and self.link is not None and self.rows[0].get("link_up_ms") is not None

    def _law(self, metric: str) -> Law:
        values = [float(r[metric]) for r in self.rows]
        if self._linked(metric):
            on_link = [float(r["link_up_ms"]) + float(r["link_down_ms"]) for r in self.rows]
            values = [value - ms for value, ms in zip(values, on_link, strict=True)]
        return fit([float(r["payload_bytes"]) for r in self.rows], values)

    @cached_property
    def _on_link_ms(self) -> float:
        """Return the link's mean part, both ways, over the pictures that are sent."""
        return sum(expectation(self._outcomes(size)) * n for size, n in self._bins) / self.pictures

    def _packet(self, payload_bytes: int) -> int:
        row = self.rows[0]
        return payload_bytes + int(row["mqtt_bytes"]) - int(row["payload_bytes"])

    @cached_property
    def _bins(self) -> Histogram:
        """Return the payloads; under losses as the means of bins of about as many pictures each."""
        if not any(r.get("loss") for r in self.rows) or len(self.payloads) <= _BINS:
            return self.payloads
        sizes = np.repeat([size for size, _ in self.payloads], [n for _, n in self.payloads])
        parts = [part for part in np.array_split(sizes, _BINS) if len(part)]
        return tuple((round(float(part.mean())), len(part)) for part in parts)

    def _outcomes(self, payload_bytes: int) -> Outcomes:
        """Return what the link may take for a message there and for its answer, ms, with probabilities."""
        if self.link is None or not payload_bytes or not self._linked("total_ms"):
            return ((0.0, 1.0),)
        return self.link.both_ways_ms(self._packet(payload_bytes), self.rows[0])


def whole_set(
    rows: Sequence[Mapping[str, Any]],
    payloads: Histogram | None,
    exits: float,
    left: Callable[[str], Sequence[float]],
    link: Chance | None,
) -> WholeSet | None:
    """Return the whole test set's view of a point; None where payloads were not counted, or too few were timed.

    Args:
        rows: of the timed pictures, exits among them.
        payloads: of the test set's pictures that do not exit; all of 0 bytes for a scheme that sends nothing.
        exits: share of the test set that exits, 0..1.
        left: gives the values of a metric of an exit.
        link: what the run's link does, where it is modelled.
    """
    sent = tuple(r for r in rows if not r["exited"])
    if not payloads or exits >= 1 or len(sent) < LEAST or any(r.get("payload_bytes") is None for r in sent):
        return None
    sizes = {int(r["payload_bytes"]) for r in sent}
    if len(sizes) == 1 and {size for size, _ in payloads} != sizes:
        return None  # one size was timed: what another takes is not known
    if exits and not left("total_ms"):
        return None
    known = link is not None and all(None not in (r.get("mqtt_bytes"), r.get("mqtt_down_bytes")) for r in sent)
    same = known and len({int(r["mqtt_bytes"]) - int(r["payload_bytes"]) for r in sent}) == 1
    return WholeSet(sent, payloads, exits, left, link if same else None)
