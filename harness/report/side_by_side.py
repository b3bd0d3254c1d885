"""Sets all schemes of a run over link rates side by side, with the Pareto front of accuracy against latency at each
rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from harness.analysis import stats
from harness.analysis.cells import Accuracy, Cell
from harness.analysis.costs import Cost, cost_of
from harness.analysis.curves import base_of
from harness.analysis.pareto import Choice, pareto
from harness.host import cli
from harness.runs.measurements import STAGES
from harness.runs.store import Store, csv_text
from harness.show import table_files

AT_BPS = 6e6  # the paper's Wi-Fi (section 6)
_STAGES = tuple(f"{stage}_ms" for stage in STAGES)
COLUMNS = (
    "scheme",
    "title",
    "rate_bps",
    "accuracy",
    "accuracy_n",
    "latency_ms",
    "latency_p95_ms",
    "latency_offloaded_ms",
    "latency_exited_ms",
    "exited_share",
    "on_front",
    *_STAGES,
    "payload_bytes",
    "payload_p95_bytes",
    "flash_bytes",
    "ram_bytes",
    "macs",
    "images",
    "time_source",
    "statistic",
    "training_flop",
    "training_cpu_s",
)
HEADER = [
    *("scheme", "accuracy %", "n"),
    *(f"{stage} ms" for stage in STAGES),
    *("total ms", "p95 ms", "payload B", "flash KB", "RAM KB", "MACs (M)", "exits", "training PFLOP", "CPU s"),
]
RULE = (
    "Means over the whole test set where its payloads were counted (results.md), else medians over the timed images; "
    "where pictures exit early, means weighted by the share of the whole test set that exits. Payload of a picture "
    "that is sent, header included. Training: what the whole training took, as its weights record it"
)


def rows(
    found: Sequence[Cell], facts: Mapping[str, Mapping[str, Any]], accuracies: Mapping[str, Accuracy]
) -> list[dict[str, Any]]:
    """Return a row a scheme and rate, as tables/schemes.csv has them.

    Args:
        facts: `schemes` of the run's manifest.
    """
    out = []
    for cell in found:
        accuracy, own = accuracies.get(cell.scheme), facts[cell.scheme]
        cost = cost_of(own)
        sizes = own["firmware"].get("sizes") or {}
        out.append(
            {
                "scheme": cell.scheme,
                "title": own["title"],
                "rate_bps": cell.value,
                "accuracy": accuracy and accuracy.share,
                "accuracy_n": accuracy and accuracy.n,
                "latency_ms": cell.middle("total_ms"),
                "latency_p95_ms": cell.percentile(95),
                "latency_offloaded_ms": cell.where_sent("total_ms"),
                "latency_exited_ms": stats.mean(cell.left("total_ms")),
                "exited_share": cell.exited_share,
                **{name: cell.middle(name) for name in _STAGES},
                "payload_bytes": cell.where_sent("payload_bytes"),
                "payload_p95_bytes": cell.whole and cell.whole.payload_percentile(95),
                "flash_bytes": sizes.get("flash_bytes"),
                "ram_bytes": sizes.get("ram_static_bytes"),
                "macs": own["firmware"].get("macs"),
                "images": len(cell.rows),
                "time_source": cell.source("total_ms"),
                "statistic": cell.statistic,
                "training_flop": cost.flop,
                "training_cpu_s": cost.cpu_s,
            }
        )
    for rate in dict.fromkeys(line["rate_bps"] for line in out):
        here = [x for x in out if x["rate_bps"] == rate and x["latency_ms"] is not None and x["accuracy"] is not None]
        choices = [
            Choice(
                x["scheme"],
                x["title"],
                x["latency_ms"],
                100 * x["accuracy"],
                "",
                base_of(x["scheme"], facts[x["scheme"]]),
            )
            for x in here
        ]
        on = {c.scheme for c in pareto(choices)}
        for line in here:
            line["on_front"] = line["scheme"] in on
    return out


def write(store: Store, lines: Sequence[Mapping[str, Any]], note: str) -> list[Path]:
    """Write tables/schemes.csv, and for people schemes (stages at one rate) and front (every rate) as Markdown and
    LaTeX.
    """
    at_bps = shown_rate(lines)
    caption = f"Schemes side by side at {cli.rate_text(at_bps)}. {RULE}"
    header, text = front(lines)
    return [
        store.write_text("tables/schemes.csv", csv_text(COLUMNS, [dict(line) for line in lines])),
        *table_files.write(store, "schemes", caption=caption, note=note, header=HEADER, lines=at_rate(lines, at_bps)),
        *table_files.write(
            store,
            "front",
            caption="Latency in ms by link rate, * on the Pareto front of accuracy against latency at that rate",
            note=note,
            header=header,
            lines=text,
        ),
    ]


def shown_rate(lines: Sequence[Mapping[str, Any]]) -> float:
    """Return 6 Mbit/s where the run has it, else its highest rate."""
    rates = [float(line["rate_bps"]) for line in lines]
    return AT_BPS if AT_BPS in rates else max(rates)


def at_rate(lines: Sequence[Mapping[str, Any]], rate_bps: float) -> list[list[str]]:
    """Return the table of stages, as text."""
    return [
        [
            line["title"],
            _text(line["accuracy"], ".1f", 100),
            _text(line["accuracy_n"], ",d"),
            *(_text(line[name], ".2f") for name in (*_STAGES, "latency_ms", "latency_p95_ms")),
            _text(line["payload_bytes"], ",.0f"),
            _text(line["flash_bytes"], ".0f", 1 / 1024),
            _text(line["ram_bytes"], ".0f", 1 / 1024),
            _text(line["macs"], ".2f", 1e-6),
            f"{100 * line['exited_share']:.1f} %" if line["exited_share"] else "–",
            *Cost(line["training_flop"], line["training_cpu_s"]).texts,
        ]
        for line in lines
        if line["rate_bps"] == rate_bps
    ]


def front(lines: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return the table of fronts: a line a scheme, best accuracy first; a column a rate."""
    rates = sorted({float(line["rate_bps"]) for line in lines})
    by = {(line["scheme"], line["rate_bps"]): line for line in lines}
    first = {line["scheme"]: line for line in lines}
    order = sorted(first.values(), key=lambda line: -(line["accuracy"] or 0.0))
    text = [
        [
            line["title"],
            _text(line["accuracy"], ".1f", 100),
            *(_marked(by.get((line["scheme"], rate))) for rate in rates),
        ]
        for line in order
    ]
    return ["scheme", "accuracy %", *map(cli.rate_text, rates)], text


def show(out: Console, lines: Sequence[Mapping[str, Any]], note: str) -> None:
    """Print both tables."""
    at_bps = shown_rate(lines)
    header, text = front(lines)
    for title, columns, body in (
        (f"Side by side at {cli.rate_text(at_bps)}", HEADER, at_rate(lines, at_bps)),
        ("Latency in ms, * on the Pareto front of accuracy against latency", header, text),
    ):
        table = Table(title=title, caption=f"{RULE}. {note}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for i, name in enumerate(columns):
            table.add_column(name, justify="left" if i == 0 else "right")
        for line in body:
            table.add_row(*line)
        out.print(table)


def _marked(line: Mapping[str, Any] | None) -> str:
    if line is None or line["latency_ms"] is None:
        return "–"
    return f"{line['latency_ms']:.1f}{' *' if line.get('on_front') else ''}"


def _text(value: Any, form: str, factor: float = 1) -> str:
    return "–" if value is None else format(value if factor == 1 else value * factor, form)
