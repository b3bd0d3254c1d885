"""Describes the slow end of the latencies: percentiles where n carries them, and how many miss a deadline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analysis import stats
from harness.analysis.cells import Cell
from harness.runs.measurements import METRICS

PERCENTILES = (90, 95, 99)
TOO_SMALL = "n too small"
COLUMNS = (
    "scheme",
    "axis",
    "value",
    "n",
    "failed",
    *(f"total_ms_p{q}" for q in PERCENTILES),
    "total_ms_max",
    "interval_share",
    "deadline_ms",
    "missed",
    "missed_share",
    "missed_share_low",
    "missed_share_high",
)


def rows(found: Sequence[Cell], axis: str, deadline_ms: float | None) -> list[dict[str, Any]]:
    """Return the rows of tables/tail.csv; null where n does not carry it (five samples must be expected beyond a
    percentile).

    A sample that failed has missed its deadline too. `missed_share` comes with its 95 % Wilson interval.
    """
    out = []
    for cell in found:
        latencies = [float(r["total_ms"]) for r in cell.rows]
        line: dict[str, Any] = {
            "scheme": cell.scheme,
            "axis": axis,
            "value": cell.value,
            "n": len(latencies),
            "failed": cell.failed,
            **{f"total_ms_p{q}": cell.percentile(q) for q in PERCENTILES},
            "total_ms_max": _slowest(cell, latencies),
            "interval_share": cell.latency and cell.latency.width_share,
        }
        if deadline_ms is not None and (cell.exact or cell.whole):
            line |= {"deadline_ms": deadline_ms, "missed_share": cell.late_share(deadline_ms)}
        elif deadline_ms is not None and (all_ := len(latencies) + cell.failed):
            missed = sum(ms > deadline_ms for ms in latencies) + cell.failed
            low, high = stats.share_interval(missed, all_) or (None, None)
            line |= {"deadline_ms": deadline_ms, "missed": missed, "missed_share": missed / all_}
            line |= {"missed_share_low": low, "missed_share_high": high}
        out.append(line)
    return out


def _slowest(cell: Cell, latencies: Sequence[float]) -> float | None:
    """Return the slowest picture: of the whole test set where that is known, None where only chance could tell."""
    if cell.exact:
        return None
    return max(ms for ms, _ in cell.whole.mixture()) if cell.whole else max(latencies, default=None)


def lines(
    told: Sequence[Mapping[str, Any]], titles: Mapping[str, str], show: Mapping[float, str]
) -> tuple[list[str], list[list[str]]]:
    """Return header and lines for people, from `rows`."""
    ms = METRICS["total_ms"]
    with_deadline = any(line.get("deadline_ms") is not None for line in told)
    header = ["scheme", "value", "timed", *(f"p{q} ms" for q in PERCENTILES), "slowest ms"]
    header += [f"over {next(t['deadline_ms'] for t in told if t.get('deadline_ms')):g} ms"] if with_deadline else []
    out = []
    for line in told:
        shown = [line[f"total_ms_p{q}"] for q in PERCENTILES]
        cells = [TOO_SMALL if value is None else ms.show(value) for value in shown]
        text = [titles.get(line["scheme"], line["scheme"]), show[line["value"]], str(line["n"]), *cells]
        text.append(ms.show(line["total_ms_max"]))
        out.append([*text, missed_text(line)] if with_deadline else text)
    return header, out


def missed_text(line: Mapping[str, Any]) -> str:
    """Return the misses as text: `2 of 40, 5.0 % [1.4, 16.5]`."""
    if line.get("missed") is None:
        share = line.get("missed_share")
        return "–" if share is None else f"{100 * share:.1f} %"
    n = line["n"] + line["failed"]
    low, high = 100 * line["missed_share_low"], 100 * line["missed_share_high"]
    return f"{line['missed']} of {n}, {100 * line['missed_share']:.1f} % [{low:.1f}, {high:.1f}]"
