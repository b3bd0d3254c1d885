"""`python -m harness.bench WHAT`: measure what the bench's own code costs.

Kernels, networks and codecs run as M7 code in the emulator's core; nothing of them is measured by wall clock. Each of
`WHAT` is a file of `harness/bench` with options of its own: `python -m harness.bench codecs --help`.
"""

from __future__ import annotations

import sys
from importlib import import_module

from harness.contracts.errors import BenchError
from harness.host.cli import Parser, way_in

WHAT = {
    "kernels": "cycles a MAC, flash and RAM of single layers",
    "networks": "whole networks on the emulated board, by layer and cause",
    "codecs": "bytes and cycles of the entropy codes of what is sent",
    "pictures": "bytes and cycles of the codes of pictures",
    "training": "operations a second of training steps on this host",
    "edge": "service time of the edge server on this host",
    "fuzz": "the C parsers under random input",
}


def main(argv: list[str]) -> int:
    """Hand over to the benchmark named first; returns its exit code."""
    if argv and argv[0] in WHAT:
        module = import_module(f"harness.bench.{'kernels' if argv[0] == 'networks' else argv[0]}")
        return int(module.main(argv if module.__name__.endswith("kernels") else argv[1:]))
    parser = Parser(prog="python -m harness.bench", description=__doc__)
    parser.add_argument("what", choices=[*WHAT], help="; ".join(f"{name}: {text}" for name, text in WHAT.items()))
    parser.parse_args(argv)
    raise BenchError(f"'{argv[-1]}' comes first", cure=f"python -m harness.bench {argv[-1]} [options]")


if __name__ == "__main__":
    sys.exit(way_in(main))
