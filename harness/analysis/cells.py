"""Sums up one scheme at one value of an axis: its samples, and what latency, stages and bytes come to over the
pictures.

Where a scheme exits early on some pictures there are two kinds of latency, and a median would be one of either. A
handful of timed pictures says little of how many exit, the whole test set says it exactly: so both kinds are taken from
the timed pictures, and weighted by the test set's share of exits.

Where the payloads of the whole test set were counted, latency, stages and bytes are those of the whole test set
(`harness.analysis.whole_set`), and the timed pictures only check the law by which they are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.analysis import stats
from harness.analysis.chance import Chance, Outcomes, quantile
from harness.analysis.chance import mean as expectation
from harness.analysis.stats import Interval
from harness.analysis.whole_set import TOLERANCE, Histogram, WholeSet, whole_set
from harness.runs.measurements import METRICS, STAGES, Statistic

if TYPE_CHECKING:
    from harness.runs.manifest import Manifest

# What an exit does not do. The rest of the stages, local network and combining, is the same for every picture.
_OF_SENDING = (
    *(f"{stage}_ms" for stage in ("encode", "network", "remote")),
    *(f"energy_{stage}_uj" for stage in ("encode", "network")),
    *("remote_wall_ms", "payload_bytes", "mqtt_bytes", "wire_bytes"),
)
_KEPT = ("local", "combine")
_SUMS = {"total_ms": [f"{stage}_ms" for stage in _KEPT], "energy_uj": [f"energy_{stage}_uj" for stage in _KEPT]}
_OF_LUCK = ("total_ms", "network_ms")  # what a lost packet makes longer
HIT_MS = 150.0  # beyond the median: the shorter time-out of the two senders is 200 ms (docs/link.md)
_STAGE_OF = {f"energy_{stage}_uj": stage for stage in STAGES} | {"remote_wall_ms": "remote"}
_OF_ALL = tuple(name for parts in _SUMS.values() for name in parts)


@dataclass(frozen=True)
class Accuracy:
    """Holds the share of a whole test set that is classified rightly."""

    right: int
    n: int
    exited: int = 0  # of the n, by the device's own exit test
    payloads: Histogram | None = None  # of those that are sent; None: not counted
    answers: str | None = None  # `harness.runs.answers`, a bit a picture; None: not kept

    @property
    def share(self) -> float:
        """Return the share of right answers, 0..1."""
        return self.right / self.n

    @property
    def exited_share(self) -> float:
        """Return the share of the pictures for which nothing is sent, 0..1."""
        return self.exited / self.n


@dataclass(frozen=True)
class Cell:
    """Holds one scheme at one value of the axis. `statistic` is what `middle`, `interval` and `latency` are."""

    scheme: str
    value: float
    rows: tuple[dict[str, Any], ...]  # measured ones, without warm-ups
    failed: int = 0
    wanted: Statistic = "median"  # where all pictures are of one kind
    chance: Chance | None = None  # of the link, where it is modelled: losses are then taken by it, not by luck
    test_exits: float | None = None  # share of the whole test set that exits; None where it was not taken
    payloads: Histogram | None = None  # of the whole test set; None where they were not counted

    @cached_property
    def exact(self) -> bool:
        """Say whether losses are taken by their exact chance: on a modelled link, along an axis of chance."""
        return self.chance is not None and self.wanted == "mean" and bool(self.rows)

    @property
    def timed(self) -> Cell:
        """Return the cell of its timed pictures alone, as where no payloads were counted."""
        return replace(self, payloads=None)

    @cached_property
    def law(self) -> WholeSet | None:
        """Return the law over the whole test set, whether its check passed or not; None where there is none."""
        return whole_set(self.rows, self.payloads, self.test_exits or 0.0, self.left, self.chance)

    @cached_property
    def whole(self) -> WholeSet | None:
        """Return the law where the timed pictures bear it out: then everything is told of the whole test set."""
        miss = self.law.worst_miss() if self.law else None
        return self.law if miss is not None and miss <= TOLERANCE else None

    @cached_property
    def _luck(self) -> dict[int, Outcomes]:
        """Return what each timed picture may take, by the identity of its row."""
        return {id(r): self.chance.total_ms(r) for r in self.rows} if self.exact and self.chance else {}

    @property
    def mixed(self) -> bool:
        """Say whether some pictures exit early and others do not, among the timed ones or in the test set."""
        return len({bool(r["exited"]) for r in self.rows}) > 1 or bool(self.rows and self._weighted)

    @property
    def _weighted(self) -> bool:
        return self.test_exits is not None and 0 < self.test_exits < 1

    @property
    def statistic(self) -> Statistic:
        """Return `test-set mean` where all payloads count, `weighted mean` where exits are weighted by the test set,
        `mean` where its share of them is not known.
        """
        if self.whole:
            return "test-set mean"
        if self._weighted:
            return "weighted mean"
        return "mean" if self.mixed else self.wanted

    @property
    def exited_share(self) -> float | None:
        """Return the share of early exits, 0..1, of the test set where that is known, else of the timed pictures."""
        if self.test_exits is not None:
            return self.test_exits
        return sum(bool(r["exited"]) for r in self.rows) / len(self.rows) if self.rows else None

    @cached_property
    def latency(self) -> Interval | None:
        """Return the interval of `total_ms`."""
        return self.interval("total_ms")

    def interval(self, metric: str) -> Interval | None:
        """Return the middle of a metric with its 95 % bootstrap interval; None of nothing, or where only one of two
        kinds was timed.
        """
        if self.whole and (whole := self.whole.interval(metric)) is not None:
            return whole
        if self._weighted:
            return stats.weighted_interval(self.left(metric), self.sent(metric), self.test_exits or 0.0)
        of = stats.median_interval if self.statistic == "median" else stats.mean_interval
        return of(self._values(self.rows, metric))

    def middle(self, metric: str) -> float | None:
        """Return what `interval` returns, without the interval."""
        if self.whole and (whole := self.whole.mean(metric)) is not None:
            return whole
        if not self._weighted:
            of = stats.median if self.statistic == "median" else stats.mean
            return of(self._values(self.rows, metric))
        return self._together(self.left(metric), self.sent(metric))

    def where_sent(self, metric: str) -> float | None:
        """Return the middle of a metric over the pictures that are sent: of the whole test set where that is known."""
        if self.whole and (whole := self.whole.sent_mean(metric)) is not None:
            return whole
        of = stats.mean if self.mixed else stats.median
        return of(self.sent(metric))

    def sent(self, metric: str) -> list[float]:
        """Return the values of a metric of the timed pictures that did not exit."""
        return self._values([r for r in self.rows if not r["exited"]], metric)

    def left(self, metric: str) -> list[float]:
        """Return the values of a metric of the timed pictures that exited.

        Where none did although the test set has some, an exit is what the device does on every picture: local network
        and combining. Nothing of a metric of which that can't be told.
        """
        left = [r for r in self.rows if r["exited"]]
        if left or not self._weighted:
            return self._values(left, metric)
        if metric in _OF_SENDING:
            return [0.0 for _ in self.sent(metric)]
        if metric in _SUMS:
            parts = [self.sent(name) for name in _SUMS[metric]]
            return [sum(each) for each in zip(*parts, strict=True)] if len(set(map(len, parts))) == 1 else []
        return self.sent(metric) if metric in _OF_ALL else []

    def late_share(self, deadline_ms: float) -> float | None:
        """Return the share of the pictures over a deadline, exits weighted as in `middle`; None where nothing can be
        told.
        """
        if self.exact or self.whole:
            mixture = self._mixture()
            return sum(p for ms, p in mixture if ms > deadline_ms) if mixture else None
        if not self._weighted:
            return stats.mean([ms > deadline_ms for ms in self._values(self.rows, "total_ms")])
        left, sent = ([ms > deadline_ms for ms in kind] for kind in (self.left("total_ms"), self.sent("total_ms")))
        return self._together(left, sent)

    def percentile(self, q: float) -> float | None:
        """Return the q-th percentile of the latency: of the whole test set where that is known, exact where losses are,
        else of the timed pictures, and None where their n does not carry it.
        """
        if self.exact or self.whole:
            mixture = self._mixture()
            return quantile(mixture, q / 100) if mixture else None
        return stats.percentile(self._values(self.rows, "total_ms"), q)

    def hits(self) -> int | None:
        """Count the samples that a loss hit: told by the testbed, else those over `HIT_MS` slower than the median."""
        known = [int(r["repeated_segments"]) for r in self.rows if r.get("repeated_segments") is not None]
        if known:
            return sum(n > 0 for n in known)
        sent = [float(r["total_ms"]) for r in self.rows if not r["exited"]]
        middle = stats.median(sent)
        return None if middle is None else sum(ms > middle + HIT_MS for ms in sent)

    def _mixture(self) -> list[tuple[float, float]]:
        """Return latencies (ms) of all pictures with their weights, which add up to 1; exits as in `left`."""
        if self.whole:
            return self.whole.mixture()
        sent = [self._luck[id(r)] for r in self.rows if not r["exited"]]
        left = self.left("total_ms")
        exits = self.test_exits if self._weighted and self.test_exits is not None else len(left) / len(self.rows)
        if (exits < 1 and not sent) or (exits > 0 and not left):
            return []
        mixture = [(ms, exits / len(left)) for ms in left]
        for outcomes in sent:
            through = sum(p for _, p in outcomes)
            mixture += [(ms, p / through * (1 - exits) / len(sent)) for ms, p in outcomes]
        return mixture

    def _values(self, rows: Sequence[Mapping[str, Any]], metric: str) -> list[float]:
        """Return the values that there are, each what is to be expected of it where chance has a say."""
        if not self.exact or metric not in _OF_LUCK:
            return _values(rows, metric)
        more = [expectation(self._luck[id(r)]) - float(r["total_ms"]) for r in rows]
        return [float(r[metric]) + extra for r, extra in zip(rows, more, strict=True)]

    def _together(self, left: Sequence[float], sent: Sequence[float]) -> float | None:
        """Return the mean of both kinds, weighted by the test set; None where one of them is not known."""
        one, other, share = stats.mean(left), stats.mean(sent), self.test_exits or 0.0
        return None if one is None or other is None else share * one + (1 - share) * other

    def repeated_share(self) -> float | None:
        """Return the share of the samples in which TCP sent a segment again; None where the testbed can't tell."""
        known = [int(r["repeated_segments"]) for r in self.rows if r.get("repeated_segments") is not None]
        return sum(n > 0 for n in known) / len(known) if known else None

    def source(self, metric: str) -> str:
        """Return where the values of a metric come from; several are joined."""
        column = METRICS[metric].source_column
        return "+".join(sorted({str(r[column]) for r in self.rows if r.get(column)}))


def accuracies_of(facts: Manifest) -> dict[str, Accuracy]:
    """Return what a run's manifest tells of the whole test set, by scheme."""
    return {
        name: Accuracy(a.right, a.n, a.exited, None if a.payloads is None else tuple(a.payloads), a.answers)
        for name, a in facts.accuracy.items()
    }


def _values(rows: Sequence[Mapping[str, Any]], metric: str) -> list[float]:
    return [value for r in rows if (value := _value(r, metric)) is not None]


def _value(row: Mapping[str, Any], metric: str) -> float | None:
    """Return a sample's value of a metric; that of a stage that did not take place is 0, also where a run left it null.

    None is what was not measured: an energy that was void or not asked for, a stage too short for the probe.
    """
    value = row.get(metric)
    if value is not None:
        return float(value)
    stage = _STAGE_OF.get(metric)
    known = row.get("energy_uj") is not None if metric.startswith("energy_") else bool(row.get("exited"))
    return 0.0 if stage and known and row.get(f"{stage}_ms") == 0 else None


def cells(
    rows: Sequence[Mapping[str, Any]],
    column: str,
    order: Sequence[str] = (),
    statistic: Statistic = "median",
    accuracies: Mapping[str, Accuracy] | None = None,
    chance: Chance | None = None,
) -> list[Cell]:
    """Group measured samples (warm-ups aside) by scheme (in `order`, then as they appear) and value of the column.

    Args:
        accuracies: of the whole test set, which tell how many pictures exit.
        chance: of the run's link (`harness.analysis.chance.of_run`).
    """
    groups: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for r in rows:
        if not r["warmup"]:
            groups.setdefault((str(r["scheme"]), float(r[column])), []).append(dict(r))
    schemes = list(dict.fromkeys([*order, *(scheme for scheme, _ in groups)]))
    out = []
    for (scheme, value), group in sorted(groups.items(), key=lambda g: (schemes.index(g[0][0]), g[0][1])):
        ok = sorted((r for r in group if r["status"] == "ok"), key=lambda r: int(r["image"]))
        known = (accuracies or {}).get(scheme)
        exits = known.exited_share if known else None
        counted = known.payloads if known else None
        if known and counted == ():  # a scheme that sends nothing
            counted = ((0, known.n - known.exited),)
        out.append(Cell(scheme, value, tuple(ok), len(group) - len(ok), statistic, chance, exits, counted))
    return out
