"""`python -m harness.search SCHEME`: look for a device network under the board's RAM, flash and time."""

from __future__ import annotations

import math
import os
import shlex
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from rich.table import Table

from harness.cluster import address
from harness.cluster import client as clusters
from harness.contracts.errors import BenchError
from harness.host import registry
from harness.host.cli import Parser, add_common, console, set_up_logging, way_in, whole
from harness.report import search as outcome
from harness.training.options import TrainOptions, parse_overrides
from harness.training.report import RichReport
from harness.training.search import afar, samplers, trials
from harness.training.search.budget import Budget, measured


def parser() -> Parser:
    """Return the command line."""
    p = Parser(prog="python -m harness.search", description=__doc__)
    p.add_argument("scheme", help="one whose device network can be searched for, such as local_only")
    p.add_argument("--dataset", default="cifar10", metavar="D", help="default: %(default)s")
    p.add_argument("--profile", default="compact", metavar="P", help="default: %(default)s")
    p.add_argument("--trials", type=whole(1, 1000, "--trials"), default=20, metavar="N", help="networks to train")
    p.add_argument("--budget-ms", type=_budget, default=30.0, metavar="MS", help="most modelled time; default: 30")
    p.add_argument("--epochs", type=whole(1, 1000, "--epochs"), default=4, help="of each trial; default: %(default)s")
    p.add_argument(
        "--pictures",
        type=whole(1, 1_000_000, "--pictures"),
        default=20_000,
        metavar="N",
        help="training pictures of each trial; default: %(default)s",
    )
    p.add_argument("--seed", type=whole(0, 2**31 - 1, "--seed"), default=0)
    p.add_argument(
        "--sampler", choices=samplers.NAMES, default="neighbours", help="who chooses candidates; default: %(default)s"
    )
    p.add_argument(
        "--together",
        type=whole(1, 1000, "--together"),
        default=1,
        metavar="N",
        help="candidates chosen before the first of them is known; what is found depends on it, and not on who trains"
        " (default: 1)",
    )
    address.add_option(p, "train candidates")
    p.add_argument("--out", type=Path, metavar="DIR", help="default: results/search/SCHEME-DATASET-PROFILE")
    p.add_argument("--data-dir", type=Path, metavar="DIR", help="folder of the data sets")
    p.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe file instead of the shipped one")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the recipe")
    add_common(p)
    return p


def main(argv: list[str]) -> int:
    """Search, show, write."""
    args = parser().parse_args(argv)
    set_up_logging(args.verbose)
    registry.check_name(registry.SCHEMES, "scheme", args.scheme)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = TrainOptions(
        dataset=args.dataset,
        profile=args.profile,
        epochs=args.epochs,
        seed=args.seed,
        out=None,
        data_dir=args.data_dir,
        resume=True,
        recipe=args.recipe,
        overrides={"max_train": str(args.pictures), **parse_overrides(args.set)},
    )
    scheme = registry.scheme(args.scheme)
    screen, folder = console(), args.out or Path("results") / "search" / f"{args.scheme}-{args.dataset}-{args.profile}"
    budget = Budget(args.budget_ms)
    done: list[trials.Trial] = []
    with RichReport(screen) as report, ExitStack() as held:
        space = scheme.search_space(options, report)
        if space is None:
            raise BenchError(f"{args.scheme} has no networks to choose from", cure="try local_only")
        sampler = samplers.sampler(args.sampler, space, args.seed)
        train, together = trials.here(space), args.together
        if args.cluster and together == 1:
            report.message("one candidate at a time is trained: --together 8 would give out eight (docs/cluster.md)")
        if args.cluster:
            train = afar.there(held.enter_context(clusters.connected(args.cluster)), args.scheme, options, space)
        cost_of = partial(measured, budget=budget)
        for trial in trials.run(space, budget, args.trials, cost_of, sampler, train, together):
            done.append(trial)
            candidate, ms, what, *_ = outcome.cells(trial)
            report.message(f"{len(done):3}  {'' if trial.refused else ms + ' ms'}  {what}  {candidate}")
    note = (
        f"Times modelled (+-5 %). Validation in float after {args.epochs} epochs of {args.pictures:,} pictures,"
        f" seed {args.seed}, sampler {args.sampler}, {args.together} together:"
        f" {sum(t.refused is None for t in done)} trained,"
        f" {sum(t.refused is not None for t in done)} over the budget of {args.budget_ms:g} ms,"
        f" {budget.ram_bytes >> 10} KB of RAM or {budget.flash_bytes >> 10} KB of flash."
    )
    written = outcome.write(folder, done, note=f"{scheme.title}, {args.dataset}. {note}", budget_ms=args.budget_ms)
    table = Table("network", "ms", "validation", "RAM", "flash", "M MAC", title="Pareto set", caption=note)
    best = trials.pareto(done)
    for trial in best:
        table.add_row(*outcome.cells(trial))
    screen.print(table)
    words = [args.scheme, "--dataset", args.dataset, *space.recipe_words(best[-1].candidate)]
    screen.print(f"train the best: python -m harness.train {shlex.join(words)}", soft_wrap=True)
    for path in written:
        screen.print(str(path), soft_wrap=True)
    return 0


def _budget(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1e5:
        raise BenchError(f"--budget-ms '{text}' is no time", cure="give milliseconds such as 30")
    return value


if __name__ == "__main__":
    sys.exit(way_in(main))
