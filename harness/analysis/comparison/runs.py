"""Compares two runs, point by point: the same scheme at the same value of the axis, picture by picture where both have
the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
        wanted = {"lower": "higher", "higher": "lower"}.get(METRICS[self.metric].direction)
        return wanted is not None and self.verdict == wanted


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
    said = []
    for name, first, second in (
        ("testbed", base.testbed, other.testbed),
        ("source of times", base.manifest["testbed"]["time_source"], other.manifest["testbed"]["time_source"]),
        ("seed", base.manifest.get("seed"), other.manifest.get("seed")),
        ("host", _host(base.manifest), _host(other.manifest)),
        ("broker", base.manifest.get("broker"), other.manifest.get("broker")),
        ("commit", (base.manifest.get("commit") or {}).get("hash"), (other.manifest.get("commit") or {}).get("hash")),
    ):
        if first != second:
            said.append(f"{name}: {first} against {second}")
    said += _other_times(base.manifest, other.manifest)
    weights = [{k: v.get("weights") for k, v in run.manifest["schemes"].items()} for run in (base, other)]
    if changed := sorted(k for k in weights[0].keys() & weights[1].keys() if weights[0][k] != weights[1][k]):
        said.append(f"weights of {', '.join(changed)}")
    return said


def _host(manifest: Mapping[str, Any]) -> str:
    told = manifest["host"]
    return f"{told['system']} {told['kernel']}, {told['machine']}, {told['cores']} cores"


def _other_times(base: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return in which schemes' pinned remote times two runs differ, each with where it was measured."""
    first, second = (manifest.get("pinned") or {} for manifest in (base, other))
    times = [told.get("remote_ms") or {} for told in (first, second)]
    if bool(first) != bool(second):
        return [f"pinned remote times: {'charged' if first else 'none'} against {'charged' if second else 'none'}"]
    return [
        f"pinned remote time of {name}: {times[0][name]:g} ms{_where(first, name)} against "
        f"{times[1][name]:g} ms{_where(second, name)}"
        for name in times[0]
        if times[0][name] is not None and times[1].get(name) not in (None, times[0][name])
    ]


def _where(pinned: Mapping[str, Any], scheme: str) -> str:
    host = (pinned.get("hosts") or {}).get(scheme)
    return f" ({host})" if host else ""


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
            difference = (
                paired_difference(first[key], second[key])
                if shared
                else median_difference(list(first[key].values()), list(second[key].values()))
            )
            if difference is not None:
                scheme, value = key
                verdict = difference.verdict(minimum_share)
                found.append(Line(scheme, titles.get(scheme, scheme), value, metric, difference, verdict))
    return found


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
