"""Defines the options of the training sweeps."""

from __future__ import annotations

from pathlib import Path

from harness.cluster import address
from harness.host import cli
from harness.training.sweep import axes

OTHERS = {
    "alpha": "weight of the local logits, committed weights, whole test set (Fig 18)",
    "exit": "early exit: accuracy, share sent and latency against the threshold, committed weights",
    "pareto": "accuracy against latency over extractor, split, codebook and local branch",
}
NAMES = (*axes.AXES, *OTHERS)


def described(name: str) -> str:
    """Say in a line what a sweep varies."""
    return axes.AXES[name].doc if name in axes.AXES else OTHERS[name]


def parser(name: str) -> cli.Parser:
    """Return the command line of one sweep."""
    doc = described(name)
    p = cli.Parser(prog=f"python -m harness.sweep {name}", description=doc)
    p.add_argument("--dataset", default="cifar10", metavar="D", help="default: %(default)s")
    p.add_argument("--profile", default="compact", metavar="P", help="size of the networks; default: %(default)s")
    p.add_argument(
        "--out", type=Path, default=Path("results/runs/training"), metavar="DIR", help="default: %(default)s"
    )
    if name not in ("alpha", "exit"):
        p.add_argument("--values", type=cli.names, metavar="A,B,…", help="default: the plan's")
        p.add_argument("--plan", type=Path, metavar="FILE", help="values and budget; default: the shipped plan.toml")
        p.add_argument("--recipe", type=Path, metavar="FILE", help="what points start from; default: the shipped one")
        p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of every point")
        if name == "shaping":
            p.add_argument(
                "--seeds",
                type=cli.seeds,
                default=[0],
                metavar="A,B,…",
                help="train each point once a seed; default: 0",
            )
            p.set_defaults(seed=0)
        else:
            p.add_argument("--seed", type=cli.whole(0, cli.MOST_SEED, "--seed"), default=0, metavar="N")
        p.add_argument("--fresh", action="store_true", help="train points again whose rows are in the repository")
        address.add_option(p, "train points")
        p.add_argument(
            "--dry-run", action="store_true", help="show the points and their recipes' hashes, train nothing"
        )
    if name == "compression":
        p.add_argument("--run-time-only", action="store_true", help="only coarser codebooks of the committed weights")
    if name in ("exit", "pareto"):
        p.add_argument("--run", type=Path, metavar="DIR", help="bandwidth run that latency is fitted to")
    if name == "pareto":
        p.add_argument(
            "--cycles",
            type=cli.whole(1, 10**9, "--cycles"),
            default=4_000_000,
            metavar="N",
            help="most cycles of the local graph; default: %(default)s (18.5 ms at 216 MHz)",
        )
    cli.add_data_dir(p)
    cli.add_common(p)
    return p
