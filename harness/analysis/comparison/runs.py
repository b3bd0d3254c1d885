"""Compares two runs, point by point: the same scheme at the same value of the axis, picture by picture where both have
the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis import stats
from harness.analysis.cells import Cell
from harness.analysis.comparison.settings import differing
from harness.analysis.datum import RunData
from harness.analysis.differences import Difference, Verdict, median_difference, paired_difference
from harness.analysis.stats import share_interval
from harness.contracts.errors import BenchError
from harness.runs.measurements import METRICS

MINIMUM_SHARE = 0.02  # a change of less than 2 % of the median is no news


@dataclass(frozen=True)
class Line:
    """Holds one point of both runs."""

    scheme: str
    title: str
    value: float
    metric: str
    difference: Difference
    verdict: Verdict

    @property
    def worse(self) -> bool:
        """Say whether the second run is worse, in the direction that the metric has."""
        return self.verdict == METRICS[self.metric].worse


@dataclass(frozen=True)
class AccuracyLine:
    """Holds the accuracy over the whole test set in both runs, in percent."""

    scheme: str
    title: str
    base: float
    other: float
    differs: bool  # the 95 % intervals of the two shares do not touch


def comparable(base: RunData, other: RunData) -> list[str]:
    """Return what a reader must know before comparing: every setting in which the two differ.

    Raises:
        BenchError: they vary different things or measure different data sets.
    """
    if (base.axis, base.dataset) != (other.axis, other.dataset):
        raise BenchError(
            f"{base.folder} is a {base.axis} run of {base.dataset}, "
            f"{other.folder} a {other.axis} run of {other.dataset}",
            cure="compare runs over the same axis and data set",
        )
    return differing(base.manifest, other.manifest)


def compare(
    base: RunData, other: RunData, metrics: Sequence[str] = ("total_ms",), minimum_share: float = MINIMUM_SHARE
) -> list[Line]:
    """Return the difference of every point that both have; `minimum_share` is the smallest that matters."""
    column = str(base.manifest["axis"]["column"])
    titles = {d.scheme: d.title for d in base.data}
    found = []
    for metric in metrics:
        first, second = _values(base, column, metric), _values(other, column, metric)
        for key in sorted(first.keys() & second.keys()):
            shared = first[key].keys() & second[key].keys()
            cells = (_cell(base, key), _cell(other, key))
            difference: Difference | None
            if any(cell is not None and cell.statistic != "median" for cell in cells):
                difference = _of_means(*cells, metric)
            elif shared:
                difference = paired_difference(first[key], second[key])
            else:
                difference = median_difference(list(first[key].values()), list(second[key].values()))
            if difference is not None:
                scheme, value = key
                verdict = difference.verdict(minimum_share)
                found.append(Line(scheme, titles.get(scheme, scheme), value, metric, difference, verdict))
    return found


def _cell(run: RunData, key: tuple[str, float]) -> Cell | None:
    """Return a point's timed pictures: runs are held against each other picture by picture."""
    return next((c.timed for c in run.cells if (c.scheme, c.value) == key), None)


def _of_means(base: Cell | None, other: Cell | None, metric: str) -> Difference | None:
    """Return the difference of what tables show where a median would be one of two kinds (exits), or hides what is
    rare (losses): means, exits weighted by the test set.

    Paired where both runs have the same pictures with the same exits; else half widths add as squares.
    """
    first, second = (cell.interval(metric) if cell else None for cell in (base, other))
    if base is None or other is None or first is None or second is None:
        return None
    apart = second.middle - first.middle
    kinds = [[(int(r["image"]), bool(r["exited"])) for r in cell.rows] for cell in (base, other)]
    if kinds[0] == kinds[1] and (base.test_exits, base.statistic) == (other.test_exits, other.statistic):
        if base.statistic == "weighted mean":
            left, sent = (_less(base, other, metric, kind) for kind in ("left", "sent"))
            found = stats.weighted_interval(left, sent, base.test_exits or 0.0)
        else:
            pairs = zip(base.rows, other.rows, strict=True)
            found = stats.mean_interval(
                [float(b[metric]) - float(a[metric]) for a, b in pairs if None not in (a[metric], b[metric])]
            )
        if found is not None:
            return Difference(first.middle, second.middle, apart, found.low, found.high, found.n, paired=True)
    low: float | None = None
    high: float | None = None
    if first.low is not None and first.high is not None and second.low is not None and second.high is not None:
        low = apart - math.hypot(second.middle - second.low, first.high - first.middle)
        high = apart + math.hypot(second.high - second.middle, first.middle - first.low)
    return Difference(first.middle, second.middle, apart, low, high, min(first.n, second.n), paired=False)


def _less(base: Cell, other: Cell, metric: str, kind: str) -> list[float]:
    first, second = (getattr(cell, kind)(metric) for cell in (base, other))
    return [b - a for a, b in zip(first, second, strict=False)]


def compare_accuracy(base: RunData, other: RunData) -> list[AccuracyLine]:
    """Compare the accuracies of the schemes that both runs have."""
    first, second = base.manifest.get("accuracy") or {}, other.manifest.get("accuracy") or {}
    titles = {d.scheme: d.title for d in base.data}
    found = []
    for scheme in first.keys() & second.keys():
        one, two = first[scheme], second[scheme]
        a, b = share_interval(one["right"], one["n"]), share_interval(two["right"], two["n"])
        differs = bool(a and b and (a[1] < b[0] or b[1] < a[0]))
        shares = 100 * one["right"] / one["n"], 100 * two["right"] / two["n"]
        found.append(AccuracyLine(scheme, titles.get(scheme, scheme), *shares, differs))
    return sorted(found, key=lambda line: line.scheme)


def _values(run: RunData, column: str, metric: str) -> dict[tuple[str, float], dict[int, float]]:
    """Return the value by picture for each scheme and value of the axis; repeated pictures (a real board) by their
    mean.
    """
    gathered: dict[tuple[str, float], dict[int, list[float]]] = {}
    for r in run.rows:
        if r["warmup"] or r["status"] != "ok" or r.get(metric) is None or r.get(column) is None:
            continue
        by_image = gathered.setdefault((str(r["scheme"]), float(r[column])), {})
        by_image.setdefault(int(r["image"]), []).append(float(r[metric]))
    return {k: {i: sum(v) / len(v) for i, v in images.items()} for k, images in gathered.items()}
