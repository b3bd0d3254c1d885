"""`python -m harness.bench fuzz`: run libFuzzer on what parses bytes from outside, in C, under sanitizers."""

from __future__ import annotations

from pathlib import Path

from harness.contracts.errors import BenchError
from harness.host.cli import Parser, add_common, console, set_up_logging, whole


def main(argv: list[str]) -> int:
    """Run the command."""
    from testbeds.firmware.fuzz.run import fuzz  # noqa: PLC0415 - found late, like every testbed

    p = Parser(prog="python -m harness.bench fuzz", description=__doc__)
    p.add_argument("--seconds", type=whole(1, 86_400, "--seconds"), default=60, help="(default: %(default)s)")
    p.add_argument("--seed", type=whole(1, 2**31 - 1, "--seed"), default=1, help="(default: %(default)s)")
    p.add_argument("--corpus", type=Path, metavar="DIR", help="inputs to begin with; new ones are added to it")
    add_common(p)
    args = p.parse_args(argv)
    set_up_logging(args.verbose)
    if args.corpus and not args.corpus.is_dir():
        raise BenchError(f"no folder {args.corpus}", cure="make it first")
    done = fuzz(args.seconds, seed=args.seed, corpus=args.corpus and args.corpus.resolve())
    console().print(
        f"{done.inputs:,} inputs in {done.seconds} s, {done.edges} edges reached, slowest input {done.slowest_s} s: "
        "no crash, no stray access, no undefined behaviour, no hang"
    )
    return 0
