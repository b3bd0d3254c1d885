"""Rows to tables: medians with their intervals per scheme and value of the axis, accuracy of the whole test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness import stats
from harness.measurements import METRICS, STAGES
from harness.stats import Interval, Statistic

COLUMNS = (
    "scheme",
    "axis",
    "value",
    "n",
    "failed",
    "total_ms",
    "total_ms_low",
    "total_ms_high",
    *(f"{stage}_ms" for stage in STAGES),
    "remote_wall_ms",
    "payload_bytes",
    "mqtt_bytes",
    "wire_bytes",
    "device_cycles",
    "exited_share",
    "accuracy",
    "accuracy_n",
    "time_source",
    "statistic",
    "repeated_share",
)


@dataclass(frozen=True)
class Accuracy:
    """Share of a whole test set that is classified rightly."""

    right: int
    n: int
    exited: int = 0  # of the n, by the device's own exit test

    @property
    def share(self) -> float:
        """0..1."""
        return self.right / self.n


@dataclass(frozen=True)
class Cell:
    """One scheme at one value of the axis."""

    scheme: str
    value: float
    latency: Interval | None
    failed: int
    rows: tuple[dict[str, Any], ...]  # measured ones, without warm-ups
    statistic: Statistic = "median"  # what `latency` is

    def median(self, metric: str) -> float | None:
        """Median of a metric over the images."""
        return stats.median([float(r[metric]) for r in self.rows if r.get(metric) is not None])

    def middle(self, metric: str) -> float | None:
        """Mean or median of a metric over the images, whichever `latency` is: the stages of a mean are means."""
        if self.statistic == "median":
            return self.median(metric)
        found = [float(r[metric]) for r in self.rows if r.get(metric) is not None]
        return sum(found) / len(found) if found else None

    @property
    def mixed(self) -> bool:
        """Did some pictures exit early and others not? Then a median is one of either kind."""
        return _mixed(self.rows)

    def repeated_share(self) -> float | None:
        """Share of the samples in which TCP sent a segment again; None where the testbed can't tell."""
        known = [int(r["repeated_segments"]) for r in self.rows if r.get("repeated_segments") is not None]
        return sum(n > 0 for n in known) / len(known) if known else None

    def source(self, metric: str) -> str:
        """Where the values of a metric come from; several are joined."""
        column = METRICS[metric].source_column
        return "+".join(sorted({str(r[column]) for r in self.rows if r.get(column)}))


def _mixed(rows: Sequence[Mapping[str, Any]]) -> bool:
    return len({bool(r["exited"]) for r in rows}) > 1


def cells(
    rows: Sequence[Mapping[str, Any]], column: str, order: Sequence[str] = (), statistic: Statistic = "median"
) -> list[Cell]:
    """Group measured samples (warm-ups aside) by scheme (in `order`, then as they appear) and value of the column."""
    groups: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for r in rows:
        if not r["warmup"]:
            groups.setdefault((str(r["scheme"]), float(r[column])), []).append(dict(r))
    schemes = list(dict.fromkeys([*order, *(scheme for scheme, _ in groups)]))
    out = []
    for (scheme, value), group in sorted(groups.items(), key=lambda g: (schemes.index(g[0][0]), g[0][1])):
        ok = sorted((r for r in group if r["status"] == "ok"), key=lambda r: int(r["image"]))
        # Where some exit early there are two kinds of latency, and a median is one of either.
        own: Statistic = "mean" if _mixed(ok) else statistic
        interval = stats.mean_interval if own == "mean" else stats.median_interval
        latency = interval([float(r["total_ms"]) for r in ok])
        out.append(Cell(scheme, value, latency, len(group) - len(ok), tuple(ok), own))
    return out


def table(found: Sequence[Cell], axis: str, accuracies: Mapping[str, Accuracy]) -> list[dict[str, Any]]:
    """The rows of tables/<axis>.csv."""
    out: list[dict[str, Any]] = []
    for cell in found:
        accuracy = accuracies.get(cell.scheme)
        line: dict[str, Any] = {
            "scheme": cell.scheme,
            "axis": axis,
            "value": cell.value,
            "n": len(cell.rows),
            "failed": cell.failed,
            "total_ms": cell.latency and cell.latency.middle,
            "total_ms_low": cell.latency and cell.latency.low,
            "total_ms_high": cell.latency and cell.latency.high,
            "exited_share": sum(bool(r["exited"]) for r in cell.rows) / len(cell.rows) if cell.rows else None,
            "accuracy": accuracy and accuracy.share,
            "accuracy_n": accuracy and accuracy.n,
            "time_source": cell.source("total_ms"),
            "statistic": cell.statistic,
            "repeated_share": cell.repeated_share(),
        }
        for name in COLUMNS:
            if name in METRICS and name not in line:
                line[name] = cell.median(name)
        out.append(line)
    return out


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column to the left, the others to the right."""
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    rule = [("-" * w if i == 0 else "-" * (w - 1) + ":") for i, w in enumerate(widths)]

    def one(cells_: Sequence[str]) -> str:
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells_, widths, strict=True))]
        return "| " + " | ".join(padded) + " |"

    return "\n".join([one(header), one(rule), *(one(line) for line in lines)]) + "\n"


def latency_text(interval: Interval | None) -> str:
    """`12.3 [12.1, 12.6]`, the interval only where n carries one."""
    if interval is None:
        return "–"
    if interval.low is None or interval.high is None:
        return f"{interval.middle:.1f}"
    return f"{interval.middle:.1f} [{interval.low:.1f}, {interval.high:.1f}]"


def accuracy_text(accuracy: Accuracy | None) -> str:
    """`81.2 % (n 10,000)`."""
    return f"{100 * accuracy.share:.1f} % (n {accuracy.n:,})" if accuracy else "–"


def bytes_text(cell: Cell) -> str:
    """Median payload and wire bytes of a cell, as `payload / wire`; of the sent pictures, where some are not."""
    payload, wire = METRICS["payload_bytes"], METRICS["wire_bytes"]
    of = replace(cell, rows=tuple(r for r in cell.rows if not r["exited"])) if cell.mixed else cell
    text = f"{payload.show(of.median('payload_bytes'))} / {wire.show(of.median('wire_bytes'))}"
    return f"{text} where sent" if cell.mixed else text


def summary(
    found: Sequence[Cell], titles: Mapping[str, str], values: Mapping[float, str], accuracies: Mapping[str, Accuracy]
) -> tuple[list[str], list[list[str]]]:
    """The table for people: a line a scheme, latency in ms at every value, accuracy and bytes."""
    by = {(c.scheme, c.value): c for c in found}
    lines = []
    for scheme in dict.fromkeys(c.scheme for c in found):
        own = [by.get((scheme, value)) for value in values]
        first = next(c for c in own if c)
        text = [latency_text(c.latency) if c else "–" for c in own]
        lines.append([titles.get(scheme, scheme), *text, accuracy_text(accuracies.get(scheme)), bytes_text(first)])
    header = ["scheme", *(f"{text}" for text in values.values()), "accuracy (test set)", "payload / wire B"]
    return header, lines


def stage_lines(found: Sequence[Cell], titles: Mapping[str, str], show: Mapping[float, str]) -> list[list[str]]:
    """Medians (means where some pictures exit early) of the five stages per scheme and value, as text."""
    lines = []
    for cell in found:
        shown = [METRICS[f"{stage}_ms"].show(cell.middle(f"{stage}_ms")) for stage in STAGES]
        name = titles.get(cell.scheme, cell.scheme)
        lines.append([name, show[cell.value], *shown, METRICS["total_ms"].show(cell.middle("total_ms"))])
    return lines
