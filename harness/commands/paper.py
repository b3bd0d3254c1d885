"""`python -m harness.paper`: run all sweeps that need no training, then make every figure and table.

Rows of sweeps that train are the committed ones (`results/reference/training/`). Stopped at any time, the same command
goes on: finished sweeps are kept.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.analysis.material import gather
from harness.artefacts.names import trained_datasets
from harness.commands.compare import show_published
from harness.commands.figures import draw_all
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.host import cli
from harness.paper import summary
from harness.paper.steps import Step, estimate, steps, take
from harness.report.page import build
from harness.runs.journal import NAME as JOURNAL
from harness.runs.paths import TRAINED_ROWS
from harness.runs.store import Store
from harness.show import table_files


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
    p.add_argument("--dry-run", action="store_true", help="show the steps and their minutes; measure nothing")
    p.add_argument("--slim", action="store_true", help="leave the journals out, to commit or hand on the rest")
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
    if args.dry_run:
        return _dry_run(todo, out, args.images)
    for number, step in enumerate(todo, start=1):
        if step.finished():
            said.print(f"sweep {number} of {len(todo)}: {step.title} is there already", soft_wrap=True)
            continue
        said.print(f"sweep {number} of {len(todo)}: {step.title}", style="bold", soft_wrap=True)
        with cli.going_on(cli.same_command("harness.paper", argv)):  # beside what the sweep itself says
            take(step)
    _show(out, [step.folder for step in todo], slim=args.slim, profile=args.profile)
    return 0


def _dry_run(todo: Sequence[Step], out: Path, images: int) -> int:
    screen = cli.console()
    total_min = 0.0
    for number, step in enumerate(todo, start=1):
        if step.finished():
            screen.print(f"{number}. sweep {step.title}: there already", soft_wrap=True)
            continue
        told = estimate(step, images)
        total_min += told or 0.0
        about = "nobody has measured how long it takes" if told is None else f"about {max(1, round(told))} min"
        screen.print(f"{number}. sweep {step.title} into {step.folder}: {about}", soft_wrap=True)
    screen.print(f"{len(todo) + 1}. figures, tables, claims and reports into {out}: a few minutes", soft_wrap=True)
    screen.print(
        f"about {max(1, round(total_min))} min in all, by what the committed runs took; accuracies that are not in the "
        "cache take minutes more each. Nothing was measured (--dry-run).",
        soft_wrap=True,
    )
    return 0


def _show(out: Path, folders: list[Path], *, slim: bool, profile: str) -> None:
    screen = cli.console()
    material = gather(folders, rows=TRAINED_ROWS, weights=weights_dir())
    datasets = list(dict.fromkeys(run.dataset for run in material.runs))  # trained rows know further ones
    figures, missing = draw_all(material, out / "figures", datasets=datasets)
    for dataset in datasets:
        show_published(material, dataset, screen, out / "tables")
    for folder in folders:
        store = Store.reopen(folder)
        store.write_text("report.html", build(store))
        if slim:
            (folder / JOURNAL).unlink(missing_ok=True)
    found = {dataset: summary.tables_of(material, dataset, profile=profile) for dataset in datasets}
    store = Store(out)
    for table in (table for its_tables in found.values() for table in its_tables if table.name):
        table_files.text_files(store, f"tables/{table.name}", table.caption, table.header, table.lines)
    page = store.write_text("README.md", summary.page(material, found, figures, missing, out))
    if missing:
        names = ", ".join(dict.fromkeys(line.partition(",")[0] for line in missing))
        screen.print(
            f"not drawn: {names} ({len(missing)} in all; {page} says what each lacks)", style="yellow", soft_wrap=True
        )
    screen.print(
        f"{len(figures)} figures in {out / 'figures'}, reports beside the runs in {out / 'runs'}", soft_wrap=True
    )
    screen.print(str(page), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
