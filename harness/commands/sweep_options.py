"""Defines the options of `python -m harness.sweep`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from harness.cluster import address
from harness.commands import trained_sweep as trained
from harness.commands.trained_sweep_options import described
from harness.contracts import quantities
from harness.host import cli
from harness.measure import axes
from harness.measure.axes import Axis
from harness.sweep import repeat
from harness.sweep.plan import MOST_IMAGES


def parser(description: str | None) -> cli.Parser:
    """Return the command line, with one sub-command an axis."""
    p = cli.Parser(prog="python -m harness.sweep", description=description)
    kinds = p.add_subparsers(dest="axis", metavar="AXIS", required=True, help="what is varied; each takes --help:")
    for word, axis in axes.AXES.items():
        one = kinds.add_parser(word, help=axis.__doc__)
        axis.add_options(one)
        _add_options(one, axis)
    for name in trained.NAMES:  # their own way in reads them; here they are told of
        doc = described(name).replace("%", "%%")
        kinds.add_parser(name, help=f"AgileNN's own: {doc[:1].lower()}{doc[1:]}".rstrip("."))
    return p


def _add_options(p: argparse.ArgumentParser, axis: Axis) -> None:
    cores = os.cpu_count() or 1
    p.add_argument("--testbed", help="or several, A,B,…: in parallel; default: virtual, or that of --board")
    p.add_argument("--schemes", type=cli.names, metavar="A,B,…", help="default: all that have weights for the data set")
    p.add_argument(
        "--images",
        type=cli.whole(1, MOST_IMAGES, "--images"),
        default=axis.images,
        metavar="N",
        help="default: %(default)s",
    )
    p.add_argument(
        "--warmup", type=cli.whole(0, 100, "--warmup"), default=1, metavar="N", help="kept, flagged; default: 1 a point"
    )
    p.add_argument(
        "--repeat-until",
        type=quantities.share_or_none,
        metavar="SHARE",
        help="on a real board: further images until the median's 95 %% interval is this narrow, or none (default: 5%%)",
    )
    p.add_argument(
        "--max-samples",
        type=cli.whole(1, MOST_IMAGES, "--max-samples"),
        metavar="N",
        help=f"but no more than N a point (default: {repeat.DEFAULT_MOST})",
    )
    p.add_argument("--deadline", type=quantities.duration_ms, metavar="T", help="tell how many miss it: 30ms")
    p.add_argument("--dataset", default="cifar10", metavar="D", help="default: %(default)s")
    p.add_argument("--profile", default="compact", metavar="P", help="size of the networks; default: %(default)s")
    p.add_argument("--seed", type=cli.whole(0, cli.MOST_SEED, "--seed"), default=0, metavar="N")
    p.add_argument("--out", type=Path, metavar="DIR", help="default: results/runs/<time>-<axis>")
    p.add_argument(
        "--resume",
        type=Path,
        metavar="DIR",
        help="go on with a stopped run, whose manifest knows the rest: no axis and no option is needed",
    )
    p.add_argument("--remote-ms", type=Path, metavar="FILE", help="pinned remote times from a file")
    p.add_argument(
        "--calibrate", action="store_true", help="measure the edge's times on this host (default: the shipped ones)"
    )
    p.add_argument("--published", action="store_true", help="draw the paper's values too, dashed")
    p.add_argument("--energy", action="store_true", help="energy of every sample too (some 50 ms each)")
    p.add_argument("--no-accuracy", action="store_true", help="leave the accuracy of the whole test set out")
    p.add_argument(
        "--jobs", type=cli.whole(1, 64, "--jobs"), default=min(cores, 16), metavar="N", help="boards a scheme, at once"
    )
    address.add_option(p, "take the samples of an emulated board")
    p.add_argument("--doctor", action="store_true", help="examine the testbed first, and measure nothing if that fails")
    p.add_argument("--dry-run", action="store_true", help="check everything, show the plan, measure nothing")
    cli.add_json(p)
    cli.add_lab(p)
    cli.add_board(p)
    cli.add_data_dir(p)
    cli.add_common(p)
