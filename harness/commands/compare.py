"""`python -m harness.compare RUN published|RUN_B`: show ratios, claims, and verdicts.

Exit code 1 when a run is compared with another and is worse: significant, and at least the smallest effect that
matters.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from harness.analysis.comparison import claims, paper, runs
from harness.analysis.datum import RunData, read_run
from harness.analysis.digits import significant
from harness.analysis.material import Material, gather
from harness.contracts.errors import BenchError
from harness.host import cli
from harness.measure.axes import AXES
from harness.runs.measurements import METRICS
from harness.runs.store import Store, csv_text
from harness.show import table_files

WORSE = 1
_SHARE = 100.0


def parser() -> cli.Parser:
    """Return the command line."""
    p = cli.Parser(prog="python -m harness.compare", description=__doc__)
    p.add_argument("run", type=Path, metavar="RUN", help="folder of a run, or one that holds runs")
    p.add_argument("other", metavar="published|RUN_B", help="the paper's values, or the run to hold against RUN")
    p.add_argument(
        "--metrics", type=cli.names, default="total_ms", metavar="A,B,…", help="default: %(default)s; of samples.csv"
    )
    p.add_argument(
        "--least",
        type=cli.whole(0, 100, "--least"),
        default=round(_SHARE * runs.MINIMUM_SHARE),
        metavar="PERCENT",
        help="smallest change of a median that matters (default: %(default)s)",
    )
    p.add_argument("--out", type=Path, metavar="DIR", help="write the tables there too (CSV and Markdown)")
    cli.add_json(p)
    cli.add_common(p)
    return p


def main(argv: list[str]) -> int:
    """Compare, show, and for two runs tell by the exit code whether the second is worse."""
    options = parser().parse_args(argv)
    cli.set_up_logging(options.verbose)
    if options.other == "published":
        return _published(options, cli.console())
    return _runs(options, cli.console())


def _published(options: argparse.Namespace, out: Console) -> int:
    material = gather([options.run])
    if options.json:
        cli.print_json({dataset: _published_record(material, dataset) for dataset in material.datasets()})
        return 0
    for dataset in material.datasets():
        written = show_published(material, dataset, out, options.out)
        for path in written:
            out.print(str(path), soft_wrap=True)
    return 0


def _published_record(material: Material, dataset: str) -> dict[str, object]:
    """Return ratios and claims of one data set for JSON; a value on no axis has the place null."""
    ratios = [
        vars(p) | {"x": None if math.isnan(p.x) else p.x, "ratio": p.ratio} for p in paper.pairs(material, dataset)
    ]
    return {"ratios": ratios, "claims": [vars(c) for c in claims.findings(material, dataset)]}


def show_published(material: Material, dataset: str, out: Console, folder: Path | None) -> list[Path]:
    """Show ratios and claims of one data set: on the screen, and in `folder` where given."""
    found = paper.pairs(material, dataset)
    header = ["value", "scheme", "at", "ours", "paper", "ours / paper", "source"]
    lines = [
        [
            f"{p.figure}: {METRICS[p.metric].title if p.metric in METRICS else p.metric}",
            p.title,
            "" if p.x != p.x else (cli.clock_text(p.x) if p.figure == "fig22" else cli.rate_text(p.x)),
            f"{p.ours:,.1f} {p.unit}",
            f"{p.published:,.1f} {p.unit}",
            "–" if p.ratio is None else f"{p.ratio:.2f}",
            p.source,
        ]
        for p in found
    ]
    _table(out, f"{dataset}: ours beside the paper's", header, lines, None)
    checked = claims.findings(material, dataset)
    claim_header, claim_lines = list(claims.HEADER), [c.line for c in checked]
    claims_title = f"{dataset}: the paper's claims about the system"
    _table(out, claims_title, claim_header, claim_lines, None)
    if folder is None:
        return []
    store = Store(folder)
    rows = [vars(p) | {"ratio": p.ratio} for p in found]
    return [
        store.write_text(f"published-{dataset}.csv", csv_text([*vars(found[0]), "ratio"] if found else [], rows)),
        *table_files.text_files(store, f"published-{dataset}", f"{dataset}: ours beside the paper's.", header, lines),
        *table_files.text_files(
            store,
            f"system-claims-{dataset}",
            f"{dataset}: the paper's claims about the system.",
            claim_header,
            claim_lines,
        ),
    ]


def _runs(options: argparse.Namespace, out: Console) -> int:
    base, other = read_run(options.run), read_run(Path(options.other))
    for name in options.metrics:
        if name not in METRICS:
            raise BenchError(f"unknown metric '{name}'", cure=f"choose from {', '.join(METRICS)}")
    for line in () if options.json else runs.comparable(base, other):
        out.print(f"differs: {line}", style="yellow", soft_wrap=True)
    found = runs.compare(base, other, options.metrics, options.least / _SHARE)
    if not found:
        raise BenchError("the two runs share no point with measured samples", cure="compare runs with common points")
    accuracy = runs.compare_accuracy(base, other)
    worse = [x for x in found if x.worse] + [a for a in accuracy if a.differs and a.other < a.base]
    if options.json:
        cli.print_json(
            {
                "base": str(base.folder),
                "other": str(other.folder),
                "differs": runs.comparable(base, other),
                "points": [asdict(x) | {"worse": x.worse} for x in found],
                "accuracies": [asdict(a) for a in accuracy],
            }
        )
        return WORSE if worse else 0
    header = ["metric", "scheme", "at", base.folder.name, other.folder.name, "difference [95 %]", "n", "verdict"]
    show = AXES[base.axis].show if base.axis in AXES else lambda value: significant(value, 6)
    lines = []
    for x in found:
        d, unit = x.difference, METRICS[x.metric].unit
        apart, *ends = ("" if v is None else significant(v, signed=True) for v in (d.difference, d.low, d.high))
        apart = f"{apart} {unit}" + (f" [{', '.join(ends)}]" if all(ends) else "")
        lines.append(
            [
                x.metric,
                x.title + _kind(base, x),
                show(x.value),
                f"{d.base:,.2f}",
                f"{d.other:,.2f}",
                apart,
                str(d.n),
                _words(x),
            ]
        )
    for a in accuracy:
        verdict = ("better" if a.other > a.base else "worse") if a.differs else "same within its interval"
        shares = [f"{a.base:.2f} %", f"{a.other:.2f} %", f"{a.other - a.base:+.2f} points"]
        lines.append(["accuracy", a.title, "", *shares, "", verdict])
    _table(out, f"{other.folder} against {base.folder}", header, lines, None)
    if options.out is not None:
        title = f"{other.folder.name} against {base.folder.name}. {base.note}"
        for path in table_files.text_files(Store(options.out), "comparison", title, header, lines):
            out.print(str(path), soft_wrap=True)
    paired = "picture by picture" if all(x.difference.paired for x in found) else "in part over different pictures"
    out.print(
        f"{len(worse)} of {len(found) + len(accuracy)} comparisons are worse ({paired}; a change counts when its 95 % "
        f"interval excludes 0 and it is at least {options.least} %)",
        soft_wrap=True,
    )
    return WORSE if worse else 0


def _kind(run: RunData, line: runs.Line) -> str:
    """Say of a scheme with exits that its values are means over both kinds, as in the run's own tables."""
    cell = next((c for c in run.cells if (c.scheme, c.value) == (line.scheme, line.value)), None)
    return ", mean with exits" if cell is not None and cell.mixed else ""


def _words(line: runs.Line) -> str:
    direction = METRICS[line.metric].direction
    if direction == "none" or line.verdict not in ("higher", "lower"):
        return line.verdict
    slower = {"ms": ("slower", "faster")}.get(METRICS[line.metric].unit, ("worse", "better"))
    return slower[0] if line.worse else slower[1]


def _table(out: Console, title: str, header: list[str], lines: list[list[str]], caption: str | None) -> None:
    table = Table(title=title, caption=caption, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    for line in lines:
        table.add_row(*line)
    out.print(table)


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
