"""Train a scheme: `python -m harness.train SCHEME --dataset cifar10 --profile compact`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness import registry
from harness.cli import Parser, add_common, console, set_up_logging, way_in, whole
from harness.training.options import TrainOptions, parse_overrides
from harness.training.report import RichReport


def parser() -> Parser:
    p = Parser(prog="python -m harness.train", description="Train a scheme and export its weights.")
    p.add_argument("scheme", help=f"one of {', '.join(registry.scheme_names())}")
    p.add_argument("--dataset", default="cifar10", help="cifar10 or cifar100 (default: %(default)s)")
    p.add_argument("--profile", default="compact", help="size of the networks (default: %(default)s)")
    p.add_argument("--epochs", type=whole(0, 10_000, "--epochs"), help="instead of the recipe's; 0 exports untrained")
    p.add_argument("--seed", type=whole(0, 2**31 - 1, "--seed"), help="instead of the recipe's")
    p.add_argument(
        "--out", type=Path, help="folder for the weights (default: baselines/weights/DATASET-PROFILE/SCHEME)"
    )
    p.add_argument("--data-dir", type=Path, help="folder of the data sets (default: $AGILENN_DATA_DIR, or the cache)")
    p.add_argument("--resume", action="store_true", help="go on from the last checkpoint of the same recipe")
    p.add_argument("--recipe", type=Path, help="a recipe file instead of the shipped one")
    p.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a recipe key, e.g. losses.rho=0.7"
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
        overrides=parse_overrides(args.set),
    )
    registry.check_name(registry.SCHEMES, "scheme", args.scheme)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported, or it talks on stderr
    screen = console()
    with RichReport(screen) as report:
        folder = registry.scheme(args.scheme).train(options, report)
    screen.print(f"weights: {folder}", soft_wrap=True)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 2 an error that the user can cure, 130 interrupted (resume with --resume)."""
    return way_in(body, argv)


if __name__ == "__main__":
    raise SystemExit(main())
