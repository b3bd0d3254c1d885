"""`python -m harness.paper`: run all sweeps that need no training, then make every figure and table.

Rows of sweeps that train are the committed ones (`results/reference/training/`). Stopped at any time, the same command
goes on: finished sweeps are kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.analysis.material import gather
from harness.artefacts.names import trained_datasets
from harness.commands.compare import show_published
from harness.commands.figures import draw_all
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.host import cli
from harness.paper import summary
from harness.paper.steps import steps, take
from harness.report.page import build
from harness.runs.journal import NAME as JOURNAL
from harness.runs.paths import TRAINED_ROWS
from harness.runs.store import SAMPLES, Store


def parser() -> cli.Parser:
    """Return the command line."""
    p = cli.Parser(prog="python -m harness.paper", description=__doc__)
    p.add_argument("--profile", default="compact", metavar="P", help="size of the networks; default: %(default)s")
    p.add_argument("--datasets", type=cli.names, metavar="A,B,…", help="default: all with trained weights")
    p.add_argument("--testbed", default="virtual", help="default: %(default)s")
    p.add_argument(
        "--images",
        type=cli.whole(1, 10_000, "--images"),
        default=20,
        metavar="N",
        help="a point, at least as many as each axis has by itself; default: 20",
    )
    p.add_argument("--out", type=Path, default=Path("results/paper"), metavar="DIR", help="default: %(default)s")
    p.add_argument("--slim", action="store_true", help="keep samples as Parquet only, to be committed or handed on")
    cli.add_data_dir(p)
    cli.add_common(p)
    return p


def main(argv: list[str]) -> int:
    """Sweep, draw, compare; exit code 2 when a sweep fails."""
    args = parser().parse_args(argv)
    cli.set_up_logging(args.verbose)
    known = trained_datasets(args.profile)
    for name in args.datasets or ():
        if name not in known:
            raise BenchError(
                f"no trained weights of {name} in profile {args.profile}",
                cure=f"choose from {', '.join(known) or 'none'}",
            )
    out: Path = args.out
    if out.exists() and not out.is_dir():
        raise BenchError(f"{out} is a file", cure="give a folder by --out")
    said = cli.console(stderr=True)
    options = ("--testbed", args.testbed, "--profile", args.profile)
    todo = steps(args.datasets or known, out, options, args.images)
    for number, step in enumerate(todo, start=1):
        if step.finished():
            said.print(f"sweep {number} of {len(todo)}: {step.title} is there already", soft_wrap=True)
            continue
        said.print(f"sweep {number} of {len(todo)}: {step.title}", style="bold", soft_wrap=True)
        take(step)
    _show(out, [step.folder for step in todo], slim=args.slim, profile=args.profile)
    return 0


def _show(out: Path, folders: list[Path], *, slim: bool, profile: str) -> None:
    screen = cli.console()
    material = gather(folders, rows=TRAINED_ROWS, weights=weights_dir())
    figures, missing = draw_all(material, out / "figures")
    for dataset in dict.fromkeys(run.dataset for run in material.runs):
        show_published(material, dataset, screen, out / "tables")
    for folder in folders:
        store = Store.reopen(folder)
        store.write_text("report.html", build(store))
        if slim:
            for name in (JOURNAL, SAMPLES):
                (folder / name).unlink(missing_ok=True)
    page = Store(out).write_text("README.md", summary.page(material, figures, missing, out, profile=profile))
    for line in missing:
        screen.print(f"not drawn, {line}", style="yellow", soft_wrap=True)
    screen.print(
        f"{len(figures)} figures in {out / 'figures'}, reports beside the runs in {out / 'runs'}", soft_wrap=True
    )
    screen.print(str(page), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
