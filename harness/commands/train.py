"""`python -m harness.train SCHEME`: train a scheme and write its weights."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from baselines.networks.quiet import backend_name, has_tensorflow
from harness.artefacts.settings import CURVE
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.host import registry
from harness.host.cli import (
    MOST_SEED,
    Parser,
    add_common,
    console,
    going_on,
    same_command,
    seeds,
    set_up_logging,
    way_in,
    whole,
)
from harness.runs.store import Store
from harness.show import curves
from harness.training import curve
from harness.training import seeds as spread
from harness.training.options import TrainOptions, parse_overrides
from harness.training.report import RichReport


def parser() -> Parser:
    p = Parser(prog="python -m harness.train", description="Train a scheme and export its weights.")
    p.add_argument("scheme", help=f"one of {', '.join(registry.scheme_names())}")
    p.add_argument("--dataset", default="cifar10", help="cifar10, cifar100, svhn or imagenet200 (default: %(default)s)")
    p.add_argument("--profile", default="compact", help="size of the networks (default: %(default)s)")
    p.add_argument("--epochs", type=whole(0, 10_000, "--epochs"), help="instead of the recipe's; 0 exports untrained")
    p.add_argument("--seed", type=whole(0, MOST_SEED, "--seed"), help="instead of the recipe's")
    p.add_argument(
        "--seeds", type=seeds, metavar="A,B,…", help="train once a seed into OUT/seed-A …, then show mean and spread"
    )
    p.add_argument(
        "--each",
        metavar="KEY=A,B,…",
        help="train once a value of a recipe key, and show the curve (default OUT: SCHEME/curve)",
    )
    p.add_argument(
        "--out", type=Path, help="folder for the weights (default: baselines/weights/DATASET-PROFILE/SCHEME)"
    )
    p.add_argument("--data-dir", type=Path, help="folder of the data sets (default: $AGILENN_DATA_DIR, or the cache)")
    p.add_argument("--resume", action="store_true", help="go on from the last checkpoint of the same recipe")
    p.add_argument("--recipe", type=Path, help="a recipe file instead of the shipped one")
    p.add_argument(
        "--preset",
        metavar="NAME",
        help="settings laid over the recipe, such as paper, public, all_sent or random of agilenn",
    )
    p.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a recipe key, e.g. losses.rho=0.7"
    )
    p.add_argument(
        "--no-export", action="store_true", help="train only; --resume exports later, on any machine with TensorFlow"
    )
    add_common(p)
    return p


def body(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    set_up_logging(args.verbose)
    options = TrainOptions(
        dataset=args.dataset,
        profile=args.profile,
        epochs=args.epochs,
        seed=args.seed,
        out=args.out,
        data_dir=args.data_dir,
        resume=args.resume,
        recipe=args.recipe,
        preset=args.preset,
        overrides=parse_overrides(args.set),
        export=not args.no_export and backend_name() == "tensorflow",
    )
    registry.check_name(registry.SCHEMES, "scheme", args.scheme)
    if args.seeds and args.seed is not None:
        raise BenchError("--seed and --seeds were both given", cure="give one of them")
    if args.seeds and args.each:
        raise BenchError("--seeds and --each were both given", cure="give one of them")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported, or it talks on stderr
    screen = console()
    if args.each:
        return _curve(args, argv, options, screen)
    if not args.seeds:
        with going_on(same_command("harness.train", argv, "--resume")):
            _one(args.scheme, options, screen)
        return 0 if options.export else _export_later(argv, screen, wanted=not args.no_export)
    above = args.out or weights_dir() / f"{args.dataset}-{args.profile}" / f"{args.scheme}-seeds"
    with going_on(same_command("harness.train", argv, "--resume")):
        folders = [_one(args.scheme, seeded(options, seed, out=above / f"seed-{seed}"), screen) for seed in args.seeds]
    if not options.export:
        return _export_later(argv, screen, wanted=not args.no_export)
    _spread(above, folders, screen)
    return 0


def _curve(args: argparse.Namespace, argv: list[str], options: TrainOptions, screen: Console) -> int:
    """Train one point after the other, and write and show what each came to."""
    key, values = curve.parse(args.each)
    if not options.export:
        raise BenchError("--each shows exported weights", cure="leave out --no-export, and train on TensorFlow")
    if args.data_dir:
        os.environ["AGILENN_DATA_DIR"] = str(args.data_dir)  # accuracy is measured in a process of its own
    above = args.out or weights_dir() / f"{args.dataset}-{args.profile}" / args.scheme / CURVE
    rows: list[curve.Row] = []
    with going_on(same_command("harness.train", argv, "--resume")):
        for value in values:
            own = replace(options, out=curve.folder_of(above, key, value), overrides=options.overrides | {key: value})
            rows.append(curve.point(_one(args.scheme, own, screen), key, value))
            Store(above).write_text(curve.FILE, curve.as_csv(rows))
    table = Table(title=f"{args.scheme} by {key}, test set", box=box.SIMPLE_HEAD, title_justify="left")
    for column in (key, "accuracy %", "payload B", "exits %"):
        table.add_column(column, justify="right")
    for line in curve.as_text(rows):
        table.add_row(*line)
    screen.print(table)
    screen.print(str(above / curve.FILE), soft_wrap=True)
    return 0


def seeded(options: TrainOptions, seed: int, *, out: Path) -> TrainOptions:
    """Set one of several seeds: the reference network's too, unless the user fixed that one.

    A reference network of another seed is another teacher and judge, which makes more difference than the rest.
    """
    return replace(options, seed=seed, out=out, overrides={"reference.seed": str(seed)} | options.overrides)


def _one(name: str, options: TrainOptions, screen: Console) -> Path:
    """Run one training, and draw its curve where there was an epoch."""
    scheme = registry.scheme(name)
    with RichReport(screen) as report:
        folder: Path = scheme.train(options, report)
    if not options.export:
        return folder
    if (folder / curves.HISTORY).is_file():
        for path in curves.draw(folder, f"{scheme.title}, {options.dataset}, {options.profile}"):
            screen.print(f"curve: {path}", soft_wrap=True)
    screen.print(f"weights: {folder}", soft_wrap=True)
    screen.print(where_found(folder, options.dataset, options.profile, name), soft_wrap=True, markup=False)
    return folder


def where_found(folder: Path, dataset: str, profile: str, scheme: str) -> str:
    """Say by what other commands find the weights in `folder`: they look for DIR/DATASET-PROFILE/SCHEME."""
    root = folder.absolute().parents[1] if len(folder.absolute().parts) > 2 else folder.absolute()
    run = f"python -m harness.run --scheme {scheme} --dataset {dataset} --profile {profile}"
    if folder.absolute() != root / f"{dataset}-{profile}" / scheme:
        place = f"DIR/{dataset}-{profile}/{scheme}"
        return f"other commands look for weights in {place}: move them there, then AGILENN_WEIGHTS_DIR=DIR {run}"
    if root == weights_dir().absolute():
        return f"try them: {run}"
    return f"try them: AGILENN_WEIGHTS_DIR={folder.parent.parent} {run}"


def _export_later(argv: list[str], screen: Console, *, wanted: bool) -> int:
    """Have the same command find everything trained on TensorFlow and export it: run it here, or say where to."""
    words = [word for word in argv if word not in ("--no-export", "--resume")] + ["--resume"]
    if wanted and has_tensorflow():
        screen.print("trained; TensorFlow exports", soft_wrap=True)
        environment = os.environ | {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
        return subprocess.run([sys.executable, "-m", "harness.train", *words], env=environment, check=False).returncode
    where = "copy these folders into training/ of the cache of a machine with TensorFlow and run there: "
    where = "" if has_tensorflow() else where
    command = f"KERAS_BACKEND=tensorflow python -m harness.train {shlex.join(words)}"
    if wanted:
        raise BenchError("trained, not exported: there is no TensorFlow here", cure=where + command)
    screen.print(f"trained, not exported. To export: {where}{command}", soft_wrap=True, markup=False)
    return 0


def _spread(above: Path, folders: list[Path], screen: Console) -> None:
    rows = spread.spread([spread.read_summary(folder) for folder in folders])
    Store(above).write_text("seeds.csv", spread.as_csv(rows))
    table = Table(title=f"{len(folders)} trainings, %", box=box.SIMPLE_HEAD, title_justify="left")
    for i, column in enumerate(("figure", "n", "mean", "sd", "least", "most")):
        table.add_column(column, justify="left" if i == 0 else "right")
    for line in spread.as_text(rows):
        table.add_row(*line)
    screen.print(table)
    screen.print(str(above / "seeds.csv"), soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Train. Exit code: 0 done, 2 an error that the user can cure, 130 interrupted (resume with --resume)."""
    return way_in(body, argv)


if __name__ == "__main__":
    raise SystemExit(main())
