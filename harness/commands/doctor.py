"""`python -m harness.doctor --testbed X`: check whether it is fit to be measured with; `--list`: show what is on USB.

Exit code 0: nothing failed; 1: a check failed; 2: the doctor could not look.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich import box
from rich.table import Table

from harness.contracts.errors import BenchError
from harness.doctor import examine
from harness.doctor.examine import Wanted
from harness.host import cli
from harness.host.progress import doing
from harness.lab import discovery, labfile


def parser() -> cli.Parser:
    """Return the command line."""
    p = cli.Parser(prog="python -m harness.doctor", description=__doc__)
    p.add_argument("--testbed", metavar="T", help="the one to examine")
    p.add_argument(
        "--list", action="store_true", help="boards and probes on USB, and what to write of them in lab.toml"
    )
    p.add_argument("--flash", action="store_true", help="put this bench's image on a real board first")
    p.add_argument("--quick", action="store_true", help="leave the comparison of clocks out (15 s)")
    p.add_argument("--zero", action="store_true", help="nothing is drawn through the probe now: check its zero")
    p.add_argument(
        "--known-load", type=_ohms, metavar="OHMS", help="only this resistor is on the probe's rail: check it"
    )
    p.add_argument("--json", type=Path, metavar="FILE", help="write the report there too; -: print it alone")
    cli.add_lab(p)
    cli.add_board(p)
    cli.add_common(p)
    return p


def main(argv: list[str]) -> int:
    """Examine and show."""
    options = parser().parse_args(argv)
    cli.set_up_logging(options.verbose)
    if options.list:
        _list()
        return 0
    options.testbed = labfile.testbed_of(options.testbed, "")
    if not options.testbed:
        raise BenchError("no testbed was given", cure="give --testbed virtual, native, stm32f746 or esp32, or --list")
    return _examine(options)


def _examine(options: argparse.Namespace) -> int:
    setup = labfile.load()
    wanted = Wanted(options.flash, options.zero, options.known_load, options.quick)
    with doing(cli.console(stderr=True), f"examining {options.testbed}"):
        report = examine.full(setup, options.testbed, wanted)
    if options.json == Path("-"):
        sys.stdout.write(report.text())
        return 1 if report.failed else 0
    cli.console().print(report.table())
    if options.json:
        try:
            options.json.write_text(report.text(), encoding="utf-8")
        except OSError as e:
            raise BenchError(f"{options.json} can't be written ({e.strerror})", cure="give another --json") from e
    return 1 if report.failed else 0


def _list() -> None:
    console = cli.console()
    found = discovery.attached()
    if not found:
        console.print("nothing with a serial port is on USB (network ports of lab.toml are not looked for)")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("port", "USB", "serial number", "what", "in lab.toml", ""):
        table.add_column(name, overflow="fold")
    for one in found:
        what = ", ".join(one.what) or f"unknown: {one.product}"
        closed = "" if one.usable else f"closed to you: {discovery.permission_cure(one.port)}"
        lines = one.lines().replace("[", "\\[")
        table.add_row(one.port, one.identity, one.usb_serial or "–", what, lines, closed)
    console.print(table)


def _ohms(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise BenchError(f"--known-load '{text}' is no resistance", cure="give ohms, such as 100")
    return value


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
