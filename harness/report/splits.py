"""Says what a sweep over splits found: latency against the split, the best one at each rate, exits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from harness.host import cli
from harness.runs.store import Store
from harness.show import style, table_files
from harness.show.figures import draw as figure

RULE = "Latency as expected over the test set: its share of exits weighs the latencies of exits and of what is sent"


def best(lines: Sequence[Mapping[str, Any]]) -> dict[float, str]:
    """Return rate -> the split (by its name in the run) with the lowest expected latency; the first of equal ones."""
    found: dict[float, Mapping[str, Any]] = {}
    for line in lines:
        rate = float(line["rate_bps"])
        if line["latency_ms"] is not None and (rate not in found or line["latency_ms"] < found[rate]["latency_ms"]):
            found[rate] = line
    return {rate: str(line["scheme"]) for rate, line in found.items()}


def table(
    lines: Sequence[Mapping[str, Any]], facts: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], list[list[str]]]:
    """Return header and a line a split: threshold, exits, accuracy, payload, latencies at each rate."""
    rates, won = sorted({float(line["rate_bps"]) for line in lines}), best(lines)
    by = {(line["scheme"], float(line["rate_bps"])): line for line in lines}
    text = []
    for scheme in dict.fromkeys(line["scheme"] for line in lines):
        first = next(line for line in lines if line["scheme"] == scheme)
        cells = [_cell(by.get((scheme, rate)), starred=won.get(rate) == scheme) for rate in rates]
        threshold = float(facts[scheme]["exit_threshold"])
        accuracy = first["accuracy"]
        text.append(
            [
                str(facts[scheme]["split"]),
                "–" if first["macs"] is None else f"{first['macs'] / 1e6:.2f}",
                f"{threshold:.2f}" if threshold <= 1 else "never",
                "–" if first["exited_share"] is None else f"{100 * first['exited_share']:.1f} %",
                f"{100 * accuracy:.1f}" if accuracy is not None else "–",
                f"{first['payload_bytes']:,.0f}" if first["payload_bytes"] is not None else "–",
                *cells,
            ]
        )
    header = ["split", "MACs (M)", "threshold", "exits", "accuracy %", "payload B"]
    return [*header, *(f"{cli.rate_text(rate)}: all (sent / exited) ms" for rate in rates)], text


def write(
    store: Store, lines: Sequence[Mapping[str, Any]], facts: Mapping[str, Mapping[str, Any]], note: str
) -> list[Path]:
    """Write tables/best_split.md and .tex, and plots/best_split."""
    header, text = table(lines, facts)
    caption = f"Latency against the split, * the best at its rate. {RULE}"
    return [
        *table_files.write(store, "best_split", caption=caption, note=note, header=header, lines=text),
        *draw(lines, facts, note=f"{note} {RULE}.", out=store.path("plots/best_split")),
    ]


def show(out: Console, lines: Sequence[Mapping[str, Any]], facts: Mapping[str, Mapping[str, Any]], note: str) -> None:
    """Print the table."""
    header, text = table(lines, facts)
    shown = Table(
        title="Latency against the split, * the best at its rate",
        caption=f"{RULE}. {note}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in header:
        shown.add_column(name.replace(": ", "\n"), justify="right")
    for line in text:
        shown.add_row(*line)
    out.print(shown)


def draw(
    lines: Sequence[Mapping[str, Any]], facts: Mapping[str, Mapping[str, Any]], *, note: str, out: Path
) -> list[Path]:
    """Draw a line a rate: expected latency against the split, the best one ringed; what is sent alone is dotted."""
    rates, won = sorted({float(line["rate_bps"]) for line in lines}), best(lines)
    if not won:
        return []
    with figure.page(out, note=note, width=1.5, height=1.2) as axes:
        splits = sorted({int(facts[str(line["scheme"])]["split"]) for line in lines})
        for i, rate in enumerate(rates):
            own = sorted(
                (
                    (int(facts[str(line["scheme"])]["split"]), line)
                    for line in lines
                    if float(line["rate_bps"]) == rate and line["latency_ms"] is not None
                ),
                key=lambda pair: pair[0],
            )
            look = style.line("", i)
            x = [split for split, _ in own]
            axes.plot(
                x, [p["latency_ms"] for _, p in own], color=look.colour, marker=look.marker, label=cli.rate_text(rate)
            )
            axes.plot(x, [p["latency_offloaded_ms"] for _, p in own], color=look.colour, linestyle=":", linewidth=1)
            chosen = [(s, p["latency_ms"]) for s, p in own if p["scheme"] == won.get(rate)]
            axes.scatter(*zip(*chosen, strict=True), s=110, facecolors="none", edgecolors=look.colour, linewidths=1.4)
        axes.plot([], [], color="#555555", linestyle=":", linewidth=1, label="pictures that are sent")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
        axes.yaxis.set_minor_formatter(lambda y, _: f"{y:g}" if str(y)[0] in "25" else "")
        axes.set_xticks(splits)
        axes.set_xlabel("blocks on the device (ring: the best split at its rate)")
        axes.set_ylabel("latency (ms)")
        figure.legend(axes, columns=4)
    return [out.with_name(f"{out.name}.{kind}") for kind in figure.FORMATS]


def _cell(line: Mapping[str, Any] | None, *, starred: bool) -> str:
    if line is None or line["latency_ms"] is None:
        return "–"
    star = " *" if starred else ""
    if not line["exited_share"]:
        return f"{line['latency_ms']:.1f}{star}"
    parts = " / ".join(
        "–" if (v := line[k]) is None else f"{v:.1f}" for k in ("latency_offloaded_ms", "latency_exited_ms")
    )
    return f"{line['latency_ms']:.1f}{star} ({parts})"
