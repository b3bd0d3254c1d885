"""Turns cells into tables: latency with its interval per scheme and value of the axis, accuracy of the whole
test set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analysis.cells import Accuracy, Cell
from harness.analysis.stats import Interval, median
from harness.runs.measurements import METRICS, STAGES

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
    "total_ms_p95",
    "payload_sent_bytes",
    "payload_sent_bytes_p95",
    "law_miss_share",
    "law_outside_share",
)


def table(found: Sequence[Cell], axis: str, accuracies: Mapping[str, Accuracy]) -> list[dict[str, Any]]:
    """Return the rows of tables/<axis>.csv."""
    out: list[dict[str, Any]] = []
    for cell in found:
        accuracy = accuracies.get(cell.scheme)
        latency = cell.latency
        line: dict[str, Any] = {
            "scheme": cell.scheme,
            "axis": axis,
            "value": cell.value,
            "n": len(cell.rows),
            "failed": cell.failed,
            "total_ms": latency and latency.middle,
            "total_ms_low": latency and latency.low,
            "total_ms_high": latency and latency.high,
            "exited_share": cell.exited_share,
            "accuracy": accuracy and accuracy.share,
            "accuracy_n": accuracy and accuracy.n,
            "time_source": cell.source("total_ms"),
            "statistic": cell.statistic,
            "repeated_share": cell.repeated_share(),
            "total_ms_p95": cell.percentile(95),
            "payload_sent_bytes": cell.where_sent("payload_bytes"),
            "payload_sent_bytes_p95": cell.whole and cell.whole.payload_percentile(95),
            "law_miss_share": cell.law and cell.law.worst_miss(),
            "law_outside_share": cell.law and cell.law.outside,
        }
        for name in COLUMNS:
            if name in METRICS and name not in line:
                line[name] = cell.middle(name)
        out.append(line)
    return out


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is to the left, the others to the right."""
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    rule = [("-" * w if i == 0 else "-" * (w - 1) + ":") for i, w in enumerate(widths)]

    def one(cells_: Sequence[str]) -> str:
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells_, widths, strict=True))]
        return "| " + " | ".join(padded) + " |"

    return "\n".join([one(header), one(rule), *(one(line) for line in lines)]) + "\n"


def cell_text(cell: Cell) -> str:
    """Return a cell's latency: with the 95th percentile where all pictures or all losses count, else its interval."""
    if (cell.whole or cell.exact) and cell.latency and (p95 := cell.percentile(95)) is not None:
        return f"{cell.latency.middle:.1f} (p95 {p95:,.1f})"
    return latency_text(cell.latency)


def spread(found: Sequence[Cell]) -> str:
    """Say what stands beside the latencies of `cell_text`, for a caption."""
    percentile = any(c.whole or c.exact for c in found)
    return "its 95th percentile" if percentile else "its 95 % bootstrap interval"


def latency_text(interval: Interval | None) -> str:
    """Return a latency as `12.3 [12.1, 12.6]`, with the interval only where n carries one."""
    if interval is None:
        return "–"
    if interval.low is None or interval.high is None:
        return f"{interval.middle:.1f}"
    return f"{interval.middle:.1f} [{interval.low:.1f}, {interval.high:.1f}]"


def accuracy_text(accuracy: Accuracy | None) -> str:
    """Return an accuracy as `81.2 % (n 10,000)`."""
    return f"{100 * accuracy.share:.1f} % (n {accuracy.n:,})" if accuracy else "–"


def bytes_text(cell: Cell) -> str:
    """Return payload and wire bytes of a cell, as `payload / wire`; of the sent pictures, where some are not."""
    names = ("payload_bytes", "wire_bytes")
    middle = [median(cell.sent(name)) if cell.mixed and not cell.whole else cell.where_sent(name) for name in names]
    text = " / ".join(METRICS[name].show(value) for name, value in zip(names, middle, strict=True))
    return f"{text} where sent" if cell.mixed else text


def summary(
    found: Sequence[Cell], titles: Mapping[str, str], values: Mapping[float, str], accuracies: Mapping[str, Accuracy]
) -> tuple[list[str], list[list[str]]]:
    """Return the table for people: a line a scheme, latency in ms at every value, accuracy and bytes."""
    by = {(c.scheme, c.value): c for c in found}
    lines = []
    for scheme in dict.fromkeys(c.scheme for c in found):
        own = [by.get((scheme, value)) for value in values]
        first = next(c for c in own if c)
        text = [cell_text(c) if c else "–" for c in own]
        lines.append([titles.get(scheme, scheme), *text, accuracy_text(accuracies.get(scheme)), bytes_text(first)])
    header = ["scheme", *(f"{text}" for text in values.values()), "accuracy (test set)", "payload / wire B"]
    return header, lines


def stage_lines(found: Sequence[Cell], titles: Mapping[str, str], show: Mapping[float, str]) -> list[list[str]]:
    """Return the five stages and their sum per scheme and value, as text."""
    lines = []
    for cell in found:
        shown = [METRICS[f"{stage}_ms"].show(cell.middle(f"{stage}_ms")) for stage in STAGES]
        name = titles.get(cell.scheme, cell.scheme)
        lines.append([name, show[cell.value], *shown, METRICS["total_ms"].show(cell.middle("total_ms"))])
    return lines
