"""`python -m harness.history [DIR ...]`: tell where a figure stepped in the runs of a folder, by Pettitt's test.

Exit code 1 when a figure stepped to the worse.
"""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.table import Table

from harness.analysis.comparison.runs import MINIMUM_SHARE
from harness.analysis.datum import read_run
from harness.analysis.digits import significant
from harness.analysis.history import LEAST_RUNS, Figure, Step, histories, steps
from harness.contracts.errors import BenchError
from harness.host import cli
from harness.measure.axes import AXES
from harness.runs.manifest import MANIFEST
from harness.runs.measurements import METRICS
from harness.runs.paths import RUNS

WORSE = 1


def parser() -> cli.Parser:
    """Return the command line."""
    p = cli.Parser(prog="python -m harness.history", description=__doc__)
    p.add_argument("folders", nargs="*", type=Path, metavar="DIR", help=f"runs, or folders of them (default: {RUNS})")
    p.add_argument("--metric", default="total_ms", metavar="M", help="column of samples.csv (default: %(default)s)")
    p.add_argument(
        "--least", type=cli.whole(0, 100, "--least"), default=round(100 * MINIMUM_SHARE), metavar="PERCENT",
        help="smallest change of a median that matters (default: %(default)s)",
    )  # fmt: skip
    cli.add_json(p)
    cli.add_common(p)
    return p


def main(argv: list[str]) -> int:
    """Read, test, show."""
    options = parser().parse_args(argv)
    cli.set_up_logging(options.verbose)
    if options.metric not in METRICS:
        raise BenchError(f"unknown metric '{options.metric}'", cure=f"choose from {', '.join(METRICS)}")
    places = options.folders or [RUNS]
    there = sorted({path.parent for at in places for path in (*at.glob(MANIFEST), *at.glob(f"*/{MANIFEST}"))})
    if not there:
        raise BenchError("no run is there", cure="give folders of runs, or measure: python -m harness.sweep bandwidth")
    gathered = histories((read_run(folder) for folder in there), options.metric)
    found = steps(gathered, options.least / 100)
    worse = [step for step in found.values() if step.counts and _worse(options.metric, step)]
    if options.json:
        cli.print_json([_record(figure, step) for figure, step in found.items()])
        return WORSE if worse else 0
    out = cli.console()
    counted = {figure: step for figure, step in found.items() if step.counts}
    if counted:
        out.print(_table(counted))
    long_enough = sum(len(history) >= LEAST_RUNS for history in gathered.values())
    out.print(
        f"{len(counted)} of {len(gathered)} figures stepped ({options.metric}, {len(there)} runs; the test needs "
        f"{LEAST_RUNS} runs of a figure, which {long_enough} have).",
        soft_wrap=True,
    )
    return WORSE if worse else 0


def _worse(metric: str, step: Step) -> bool:
    return METRICS[metric].worse == ("higher" if step.after > step.before else "lower")


def _record(figure: Figure, step: Step) -> dict[str, object]:
    own = asdict(figure) | {"x": None if math.isnan(figure.x) else figure.x}
    return own | asdict(step) | {"change": step.change}


def _table(found: dict[Figure, Step]) -> Table:
    table = Table(title="Steps", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(("figure", "at", "before", "after", "change", "p", "since")):
        table.add_column(name, justify="right" if 0 < i < 6 else "left", overflow="fold")
    for figure, step in found.items():
        axis = AXES.get(figure.axis)
        place = "" if math.isnan(figure.x) else axis.show(figure.x) if axis else significant(figure.x, 6)
        unit, change = METRICS[figure.metric].unit, step.change
        medians = [f"{step.before:,.2f} {unit}", f"{step.after:,.2f} {unit}"]
        apart = "–" if change is None else f"{100 * change:+.1f} %"
        name = f"{figure.scheme}, {figure.dataset}, {figure.testbed}"
        table.add_row(name, place, *medians, apart, f"{step.p:.4f}", step.at.run)
    return table


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
