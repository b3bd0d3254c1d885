"""Measures `harness.bench kernels` and `networks`: cycles, flash and RAM of the generated kernels."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from harness.contracts.errors import BenchError
from harness.host.cli import Parser, add_common, console, set_up_logging

CLOCK_HZ = 216_000_000
OVER = 1  # exit code when a figure is above what is accepted
# RAM: planned activations, `largest` the largest layer's input + output, `work` the kernels' workspace.
NOTE = (
    "modelled: Cortex-M7 cycle model, +-5 % on generated network code; line fills at 4 cycles; activations in cached "
    "SRAM, constants in flash, kernels' workspace in DTCM"
)


def main(argv: list[str]) -> int:
    """Print the table of layers or of networks; returns 1 if a figure is above what is accepted."""
    parser = Parser(prog="python -m harness.bench", description="Cycles, flash and RAM of the generated kernels.")
    add_common(parser)
    parser.add_argument("what", choices=["kernels", "networks"], help="single layers, or whole networks")
    parser.add_argument("--only", metavar="NAME", help="those whose name contains NAME")
    parser.add_argument("--variant", choices=["fast", "lean"], default="fast", help="of the kernels (default: fast)")
    parser.add_argument("--layers", action="store_true", help="networks: a line for each layer too")
    parser.add_argument(
        "--profile", action="store_true", help="networks: stalls by cause for each layer, and the hottest blocks' code"
    )
    parser.add_argument("--cc", default="zig", help="C compiler (default: the pinned zig wheel)")
    args = parser.parse_args(argv)
    set_up_logging(args.verbose)
    return kernels(args) if args.what == "kernels" else networks(args)


def _chosen(table: dict[str, Any], only: str | None) -> dict[str, Any]:
    chosen = {name: row for name, row in table.items() if only is None or only in name}
    if not chosen:
        raise BenchError(f"nothing is called '{only}'", cure=f"one of {', '.join(table)}")
    return chosen


def kernels(args: Any) -> int:
    """Print a line for each layer of the zoo. Returns 1 if one takes more cycles a MAC than is accepted."""
    from testbeds.firmware.generator.zoo import KERNELS  # noqa: PLC0415
    from testbeds.virtual.layer_cycles import measure  # noqa: PLC0415 - compiles and emulates

    table = _table(
        f"Kernels, {args.variant}, on the emulated STM32F746",
        "layer",
        *("MACs", "cycles", "line fills", "cycles/MAC", "with fills", "at most", "instr/MAC", "code B", "const B"),
    )
    over = []
    for name, (build, bound) in _chosen(KERNELS, args.only).items():
        measured = measure(build(), variant=args.variant, cc=args.cc)
        layer = max(measured.layers, key=lambda x: x.macs)
        counts, macs = layer.counts, layer.macs
        ratio = counts.cycles_with_fills / macs
        if ratio > bound:
            over.append(name)
        table.add_row(
            name,
            f"{macs:,}",
            f"{counts.cycles:,}",
            f"{counts.fills:,}",
            f"{counts.cycles / macs:.3f}",
            f"[red]{ratio:.3f}[/red]" if ratio > bound else f"{ratio:.3f}",
            f"{bound:.2f}",
            f"{counts.instructions / macs:.2f}",
            f"{layer.code_bytes:,}",
            f"{layer.constant_bytes:,}",
        )
    return _show(table, over)


def networks(args: Any) -> int:
    """Print a line for each network (and layer). Returns 1 if one takes longer than is accepted."""
    from testbeds.firmware.generator.zoo import NETWORKS  # noqa: PLC0415
    from testbeds.virtual.layer_cycles import measure  # noqa: PLC0415 - compiles and emulates

    table = _table(
        f"Networks, {args.variant} kernels, on the emulated STM32F746 at 216 MHz",
        "network",
        *("MACs", "cycles", "line fills", "c/MAC", "ms", "at most", "published"),
        *("RAM kB", "largest", "work kB", "flash kB"),
    )
    over, profiles = [], {}
    for name, (build, most_ms, published) in _chosen(NETWORKS, args.only).items():
        measured = measure(build(), variant=args.variant, cc=args.cc, profile=args.profile)
        profiles[name] = measured.profile
        total, report = measured.total, measured.report
        latency_ms = total.cycles_with_fills / CLOCK_HZ * 1e3
        if latency_ms > most_ms:
            over.append(name)
        table.add_row(
            name,
            f"{report.macs:,}",
            f"{total.cycles_with_fills:,}",
            f"{total.fills:,}",
            f"{total.cycles_with_fills / report.macs:.3f}",
            f"{latency_ms:.2f}",
            f"{most_ms:.0f}",
            "/".join(str(v) for v in published),
            f"{report.arena_bytes / 1024:.1f}",
            f"{report.layer_bound_bytes / 1024:.1f}",
            f"{report.scratch_bytes / 1024:.1f}",
            f"{measured.flash_bytes / 1024:.1f}",
            end_section=args.layers,
        )
        for layer in measured.layers if args.layers else ():
            counts = layer.counts
            table.add_row(
                f"  {layer.name}",
                f"{layer.macs:,}" if layer.macs else "",
                f"{counts.cycles_with_fills:,}",
                f"{counts.fills:,}",
                f"{counts.cycles_with_fills / layer.macs:.3f}" if layer.macs else "",
                f"{counts.cycles_with_fills / CLOCK_HZ * 1e3:.2f}",
                *("",) * 5,
                f"{(layer.code_bytes + layer.constant_bytes) / 1024:.1f}",
            )
    code = _show(table, over)
    for name, spent in profiles.items():
        if spent is not None:
            console().print(f"\n[bold]{name}[/bold]: where the cycles go")
            spent.show(console())
    return code


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    return table


def _show(table: Table, over: list[str]) -> int:
    out = console()
    table.caption = NOTE
    out.print(table)
    if over:
        out.print(f"[red]above what is accepted: {', '.join(over)}[/red]")
    return OVER if over else 0
