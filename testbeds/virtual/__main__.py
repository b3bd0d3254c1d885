"""Runs the emulated board by hand: `python -m testbeds.virtual run IMAGE` and `... bench`."""

from __future__ import annotations

import argparse
import logging
import socket
import sys
from pathlib import Path

from harness.contracts.errors import BenchError


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code: 0 done, 2 an error that the user can cure, 3 the firmware faulted."""
    parser = argparse.ArgumentParser(prog="python -m testbeds.virtual", description=__doc__, allow_abbrev=False)
    ways = parser.add_subparsers(dest="way", required=True)
    run = ways.add_parser("run", help="boot a firmware image (.elf, .bin, .hex)", allow_abbrev=False)
    run.add_argument("image", type=Path)
    run.add_argument("--pty", action="store_true", help="serve USART1 as a pty until Ctrl-C")
    run.add_argument("--mhz", type=float, metavar="F", help="warn at exit when the firmware ran at another clock")
    run.add_argument("--profile", action="store_true", help="cycles per function and hottest blocks at exit")
    run.add_argument("--mca", action="store_true", help="compare the hottest loops with llvm-mca, where installed")
    run.add_argument("--no-fills", action="store_true", help="leave out the caches' line fills (faster, less exact)")
    run.add_argument("--seconds", type=float, default=10.0, help="virtual time to run at most without --pty")
    run.add_argument("--control-fd", type=int, help=argparse.SUPPRESS)
    bench = ways.add_parser("bench", help="emulator speed on this machine", allow_abbrev=False)
    bench.add_argument("--seconds", type=float, default=2.0, help="host time to spend on each figure, about")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        return _run(arguments) if arguments.way == "run" else _bench(arguments)
    except BenchError as e:
        sys.stderr.write(f"error: {e}\n")
        return e.exit_code
    except KeyboardInterrupt:
        return 130


def _run(arguments: argparse.Namespace) -> int:
    if arguments.control_fd is not None:
        from harness.contracts.toml import read_toml  # noqa: PLC0415
        from testbeds.virtual.bench import VirtualBench  # noqa: PLC0415
        from testbeds.virtual.server import serve  # noqa: PLC0415

        bench = read_toml(Path(__file__).with_name("bench.toml"), VirtualBench)
        control = socket.socket(fileno=arguments.control_fd)
        return serve(
            arguments.image,
            control,
            fills=not arguments.no_fills,
            timing=bench.module.timing(),
            retransmission=bench.retransmission.model(),
        )
    from testbeds.virtual.byhand import run_by_hand  # noqa: PLC0415

    return run_by_hand(
        arguments.image,
        pty=arguments.pty,
        mhz=arguments.mhz,
        profile=arguments.profile,
        mca=arguments.mca,
        fills=not arguments.no_fills,
        seconds=arguments.seconds,
    )


def _bench(arguments: argparse.Namespace) -> int:
    from testbeds.virtual.speed import print_speed  # noqa: PLC0415

    return print_speed(arguments.seconds)


if __name__ == "__main__":
    raise SystemExit(main())
