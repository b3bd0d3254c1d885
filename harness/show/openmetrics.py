"""Writes the figures of a run as OpenMetrics text, which Prometheus and what speaks with it read.

Format: OpenMetrics 1.0 (openmetrics.io, section "Text Format"). Each figure is a gauge whose name ends in its unit;
the ends of its 95 % interval are samples with `part` low and high.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from harness.analysis.datum import Datum, RunData
from harness.runs.measurements import METRICS

PREFIX = "agilenn"
_UNITS = {"%": "percent", "1": "ratio", "bit/s": "bps"}


def text(run: RunData) -> str:
    """Return all figures of a run; what was not measured is not there."""
    by_name = sorted(run.data, key=lambda d: (d.metric, d.unit))
    lines: list[str] = []
    for (metric, unit), found in groupby(by_name, lambda d: (d.metric, d.unit)):
        suffix = _plain(_UNITS.get(unit, unit))
        name = f"{PREFIX}_{_plain(metric)}"
        if suffix and not name.endswith(f"_{suffix}"):
            name = f"{name}_{suffix}"
        title = METRICS[metric].title if metric in METRICS else metric.replace("_", " ")
        lines.append(f"# TYPE {name} gauge")
        lines += [f"# UNIT {name} {suffix}"] if suffix else []
        lines.append(f"# HELP {name} {_escaped(title)}")
        lines += [line for datum in found for line in _samples(name, datum, run.folder.name)]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _samples(name: str, d: Datum, run: str) -> Iterator[str]:
    labels = {"run": run, "testbed": d.testbed, "dataset": d.dataset, "scheme": d.scheme, "source": d.source}
    if not math.isnan(d.x):
        labels |= {"axis": d.axis, "at": f"{d.x:g}"}
    for part, value in (("value", d.value), ("low", d.low), ("high", d.high)):
        if value is not None and math.isfinite(value):
            yield f"{name}{{{_labelled((labels | {'part': part}).items())}}} {value!r}"


def _labelled(labels: Iterable[tuple[str, str]]) -> str:
    return ",".join(f'{key}="{_escaped(value)}"' for key, value in labels if value)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _plain(word: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", word)
