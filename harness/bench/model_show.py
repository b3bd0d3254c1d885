"""Shows what a model costs: a table, and its layers' cycles by cause as bars."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from harness.bench.model_report import BOARDS, CAUSES, SOURCES, Layer, ModelReport
from harness.show.figures.draw import page

MOST_BARS = 30  # the heaviest layers; the rest share a bar
# Okabe and Ito's colours; dark and light alternate, so that neighbours differ in grey.
_COLOURS = ("#0072B2", "#F0E442", "#D55E00", "#000000", "#56B4E9", "#999999")


def show(report: ModelReport, out: Console) -> None:
    """Print summary and table of layers."""
    cycles = report.cycles
    lines = [
        ("board", f"{BOARDS[report.board]} at {report.clock_mhz:g} MHz, {report.variant} kernels"),
        ("time", f"{report.latency_ms:.3f} ms, {cycles:,} cycles" + _per_mac(report)),
        ("energy", f"{report.energy_uj:,.1f} uJ an inference (the core alone)"),
        ("RAM", _ram(report)),
        ("flash", f"{report.flash_bytes / 1024:.1f} kB of code and constants"),
        ("bytes", _bytes(report)),
        *(("input", text) for text in report.inputs),
        *(("output", text) for text in report.outputs),
    ]
    summary = Table(title=report.file, title_justify="left", box=None, show_header=False, pad_edge=False)
    summary.add_column("", style="bold", no_wrap=True)
    summary.add_column("")
    for name, text in lines:
        summary.add_row(name, text)
    out.print(summary)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("layer", "cycles", "share", "c/MAC", "work", "waits", "jumps", "fills", "flash B"):
        table.add_column(name, justify="left" if name == "layer" else "right", no_wrap=True)
    whole = sum(layer.cycles for layer in report.layers) or 1
    for layer in report.layers:
        c = layer.causes
        parts = [c["work"], c["loads"] + c["multiplies"] + c["other"], c["branches"], c["fills"]]
        table.add_row(
            _name(layer)[:20],
            f"{layer.cycles:,}",
            f"{layer.cycles / whole:.1%}",
            f"{layer.cycles / layer.macs:.2f}" if layer.macs else "",
            *(f"{part / layer.cycles:.0%}" if layer.cycles else "" for part in parts),
            f"{layer.code_bytes + layer.constant_bytes:,}",
        )
    out.print(table)
    out.print(f"time {SOURCES['cycles']}; energy {SOURCES['energy']}", style="dim", soft_wrap=False)


def _name(layer: Layer) -> str:
    return f"{layer.index} {layer.operator.removesuffix('_2D').replace('_', ' ').lower()}"


def _per_mac(report: ModelReport) -> str:
    return f"; {report.macs:,} MACs, {report.cycles / report.macs:.3f} cycles each" if report.macs else ""


def _ram(report: ModelReport) -> str:
    state = f" of them state {report.state_bytes / 1024:.1f}," if report.state_bytes else ""
    return (
        f"{report.ram_bytes / 1024:.1f} kB: activations {report.arena_bytes / 1024:.1f},{state} "
        f"workspace {report.scratch_bytes / 1024:.1f}"
    )


def _bytes(report: ModelReport) -> str:
    a = report.agreement
    if a is None:
        return f"not compared with TensorFlow Lite's: {report.not_compared}"
    if a.different == 0:
        return f"all {a.bytes:,} equal TensorFlow Lite's ({a.samples} inputs, {a.interpreter})"
    return (
        f"{a.share:.2%} of {a.bytes:,} differ from TensorFlow Lite's, by at most {a.largest}; the largest "
        f"output is the same for {a.same_top} of {a.samples} inputs ({a.interpreter})"
    )


def draw(report: ModelReport, out: Path) -> Path:
    """Draw a horizontal bar for each layer, in order, split by cause; returns the path of the PNG.

    Args:
        out: path without suffix; .png, .pdf and .svg are written.
    """
    rows = _rows(report)
    unit, per_unit = ("ms", report.clock_mhz * 1e3) if report.latency_ms >= 1 else ("us", report.clock_mhz)
    height = max(0.55, (0.75 + 0.135 * len(rows)) / 2.7)
    note = f"{Path(report.file).name}: {report.latency_ms:.3g} ms, {BOARDS[report.board]} at {report.clock_mhz:g} MHz. "
    with page(out, note=note + "Modelled, +-5 %.", width=1.4, height=height) as axes:
        left = [0.0] * len(rows)
        for (cause, text), colour in zip(CAUSES.items(), _COLOURS, strict=True):
            values = [causes[cause] / per_unit for _, causes in rows]
            if max(values) * 200 < max(sum(c.values()) for _, c in rows) / per_unit:
                continue  # too thin to be seen
            axes.barh(
                range(len(rows)), values, 0.72, left=left, color=colour, label=text, edgecolor="#333333", linewidth=0.2
            )
            left = [a + b for a, b in zip(left, values, strict=True)]
        for place, end in enumerate(left):
            axes.annotate(f"{end:.3g}", (end, place), (2, 0), textcoords="offset points", va="center", fontsize=5.5)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=6)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, max(left) * 1.1)
        axes.set_xlabel(unit)
        axes.grid(axis="y", visible=False)
        axes.figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return out.with_name(f"{out.name}.png")


def _rows(report: ModelReport) -> list[tuple[str, dict[str, int]]]:
    """Return (label, cycles by cause) of the heaviest layers in their order, and of all others together."""
    heavy = sorted(report.layers, key=lambda x: -x.cycles)[:MOST_BARS]
    shown = [layer for layer in report.layers if layer in heavy]
    rows = [(_name(layer), layer.causes) for layer in shown]
    rest = [layer for layer in report.layers if layer not in heavy]
    if rest:
        rows.append((f"{len(rest)} more layers", {c: sum(layer.causes[c] for layer in rest) for c in CAUSES}))
    return rows
