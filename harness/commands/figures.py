"""`python -m harness.figures RUN…`: draw the paper's figures from stored runs and committed rows.

Each figure is written as PNG, PDF and SVG.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.analysis.material import Material, gather
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.host import cli
from harness.host.progress import doing
from harness.runs.paths import TRAINED_ROWS
from harness.show.figures.catalogue import FIGURES
from harness.show.figures.figure import Missing


def parser() -> cli.Parser:
    """Return the command line."""
    p = cli.Parser(prog="python -m harness.figures", description=__doc__)
    p.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs, or folders that hold runs")
    p.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR", help="default: %(default)s")
    p.add_argument("--rows", type=Path, metavar="DIR", help="rows of sweeps that train (default: the committed ones)")
    p.add_argument("--only", type=cli.names, metavar="A,B,…", help=f"of {', '.join(f.name for f in FIGURES)}")
    cli.add_common(p)
    return p


def draw_all(
    material: Material, out: Path, only: list[str] | None = None, datasets: Sequence[str] | None = None
) -> tuple[list[Path], list[str]]:
    """Draw every figure of every data set that can be drawn; return the PNGs written, and why the others were not."""
    written, missing = [], []
    wanted = [f for f in FIGURES if only is None or f.name in only]
    steps = [(figure, dataset) for dataset in datasets or material.datasets() for figure in wanted]
    with doing(cli.console(stderr=True), "figures", total=len(steps)) as shown:
        for i, (figure, dataset) in enumerate(steps):
            shown.step(f"figure {figure.name}, {dataset}")
            path = out / f"{figure.name}-{dataset}"
            try:
                figure.draw(material, dataset, path)
                written.append(path.with_name(f"{path.name}.png"))
            except Missing as e:
                missing.append(f"{figure.name}, {dataset}: {e}")
            shown.at(i + 1)
    return written, missing


def main(argv: list[str]) -> int:
    """Read, draw, say what was written and what lacks its data."""
    options: argparse.Namespace = parser().parse_args(argv)
    cli.set_up_logging(options.verbose)
    known = [f.name for f in FIGURES]
    for name in options.only or ():
        if name not in known:
            raise BenchError(f"unknown figure '{name}'", cure=f"choose from {', '.join(known)}")
    with doing(cli.console(stderr=True), "reading runs and trainings"):
        material = gather(options.runs, rows=options.rows or TRAINED_ROWS, weights=weights_dir())
    written, missing = draw_all(material, options.out, options.only)
    out = cli.console()
    for line in missing:
        out.print(f"not drawn, {line}", style="yellow", soft_wrap=True)
    for path in written:
        out.print(str(path), soft_wrap=True)
    if not written:
        raise BenchError("no figure could be drawn", cure="give runs that hold what the figures need")
    return 0


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
