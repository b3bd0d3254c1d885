"""`python -m harness.recommend --rate 2M --min-accuracy 85`: say which scheme and setting to ship, and why."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.table import Table

from harness.analysis.curves import choices_at
from harness.analysis.digits import told_apart
from harness.analysis.material import gather
from harness.analysis.recommending import MOST_LATE, Wanted, judge, left_out, on_front, options, tied
from harness.contracts import quantities
from harness.contracts.errors import BenchError
from harness.host import cli, registry
from harness.runs.paths import REFERENCE, RUNS, TRAINED_ROWS

NONE_FITS = 1


def parser() -> cli.Parser:
    """Return the command line."""
    p = cli.Parser(prog="python -m harness.recommend", description=__doc__)
    p.add_argument("--testbed", default="virtual", help="default: %(default)s")
    p.add_argument("--dataset", default="cifar10", metavar="D", help="default: %(default)s")
    p.add_argument("--rate", type=cli.rate, required=True, metavar="R", help="rate of the link, such as 2M")
    p.add_argument("--min-accuracy", type=percent, required=True, metavar="P", help="least accuracy in percent")
    p.add_argument(
        "--deadline", type=quantities.duration_ms, metavar="MS", help="latency that must be kept, such as 30ms"
    )
    p.add_argument(
        "--most-late", type=percent, default=100 * MOST_LATE, metavar="P",
        help="percent of the pictures that may miss the deadline (default: %(default)g)",
    )  # fmt: skip
    p.add_argument("--energy", action="store_true", help="choose by energy instead of latency")
    p.add_argument("--runs", type=Path, nargs="+", metavar="DIR", help="runs, or folders of them (default: all stored)")
    cli.add_json(p)
    cli.add_common(p)
    return p


def percent(text: str) -> float:
    """Read `85` or `85%` as 85.0."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        raise BenchError(f"'{text}' is no percentage", cure="give one from 0 to 100, such as 85") from None
    if not 0 <= value <= 100:
        raise BenchError(f"{text} is out of range", cure="give a percentage from 0 to 100, such as 85")
    return value


def stored() -> list[Path]:
    """Return the user's own runs, and the committed ones."""
    found = [folder for folder in (RUNS, REFERENCE / "runs") if any(folder.glob("*/manifest.json"))]
    if not found:
        raise BenchError("no run is stored yet", cure="python -m harness.sweep bandwidth")
    return found


def main(argv: list[str]) -> int:
    """Choose and show. Exit code 1 when nothing fits."""
    args = parser().parse_args(argv)
    cli.set_up_logging(args.verbose)
    wanted = Wanted(
        args.testbed, args.dataset, args.rate, args.min_accuracy, args.deadline, args.energy, args.most_late / 100
    )
    material = gather(args.runs or stored(), rows=TRAINED_ROWS)
    runs = material.runs
    found = options(runs, wanted)
    verdicts, front = judge(found, wanted), on_front(found, choices_at(material, args.dataset, args.rate))
    if args.json:
        judged = [asdict(v.option) | {"fits": v.fits, "reasons": list(v.reasons)} for v in verdicts]
        cli.print_json({"schemes": judged, "left_out": left_out(runs, found, registry.scheme_names(), wanted)})
        return 0 if verdicts[0].fits else NONE_FITS
    once = [reason for reason in verdicts[0].reasons if all(reason in v.reasons for v in verdicts)]
    once = once if len(verdicts) > 1 else []
    table = Table(title="From the best to the worst", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(("scheme", "latency ms", "p95 ms", "accuracy %", "energy mJ", "front", "fits")):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for v in verdicts:
        o = v.option
        energy = "–" if o.energy_uj is None else f"{o.energy_uj / 1e3:.2f}"
        accuracy = told_apart(o.accuracy, args.min_accuracy)
        p95, mark = "–" if o.p95_ms is None else f"{o.p95_ms:.1f}", "*" if id(o) in front else ""
        table.add_row(o.title, f"{o.latency_ms:.1f}", p95, accuracy, energy, mark, "yes" if v.fits else "no")
    out = cli.console()
    best = verdicts[0]
    if best.fits:
        o = best.option
        out.print(
            f"Ship {o.title} ({o.setting}): {o.latency_ms:.1f} ms {o.source} at {cli.rate_text(args.rate)}, "
            f"{told_apart(o.accuracy, args.min_accuracy)} % on {args.dataset}, from {o.run}.",
            soft_wrap=True,
        )
        ties = [v.option.title for v in verdicts[1:] if v.fits and not args.energy and tied(v.option, o)]
        if ties:
            out.print(
                f"As quick, within what the latencies may be off by: {', '.join(ties)}. Of these, {o.title} is the "
                "most accurate.",
                soft_wrap=True,
            )
    else:
        out.print("Nothing stored fits. Relax what is asked, or measure other schemes and settings.", soft_wrap=True)
    out.print(table)
    out.print("Front *: no other scheme's curve is as quick and more accurate.", markup=False)
    for v in verdicts:
        why = "; ".join(reason for reason in v.reasons if reason not in once)
        out.print(f"{v.option.title} ({v.option.setting}){': ' if why else ''}{why}", markup=False)
    for reason in once:
        out.print(f"Of all of them: {reason}.", markup=False)
    if args.deadline is not None:
        out.print(f"A scheme fits when at most {args.most_late:g} % of its pictures miss the deadline.", markup=False)
    for line in left_out(runs, found, registry.scheme_names(), wanted):
        out.print(f"Left out: {line}.", markup=False)
    return 0 if best.fits else NONE_FITS


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
