"""`python -m harness.faults`: put each fault into a stand-in and tell what became of it. No board is needed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.faults import catalogue
from harness.faults.catalogue import FAULTS
from harness.faults.outcome import Outcome
from harness.host import cli
from harness.host.progress import doing
from harness.show import tables

HEADER = ["fault", "what was done", "ok", "again", "failed", "wrong", "what became of it", "what the user reads", "s"]
_BEGIN, _END = "<!-- made by python -m harness.faults -->", "<!-- end -->"
_MOST = 170  # characters of a line that a user reads, in the table


def parser() -> cli.Parser:
    """Return the command line."""
    p = cli.Parser(prog="python -m harness.faults", description=__doc__)
    p.add_argument("--only", type=cli.names, metavar="A,B,…", help=f"some of {', '.join(FAULTS)}")
    p.add_argument("--short", action="store_true", help="few samples and short outages")
    p.add_argument(
        "--write", type=Path, metavar="FILE", help="replace these faults' rows of the table in this document"
    )
    cli.add_common(p)
    return p


def main(argv: list[str]) -> int:
    """Put them in and show; exit code 1 when one ended badly."""
    options = parser().parse_args(argv)
    cli.set_up_logging(options.verbose)
    for name in options.only or ():
        if name not in FAULTS:
            raise BenchError(f"unknown fault '{name}'", cure=f"choose from {', '.join(FAULTS)}")
    found = []
    said = cli.console(stderr=True)
    for name in options.only or FAULTS:
        with doing(said, name):
            found.append(catalogue.put_in(name, short=options.short))
        said.print(f"{name}: {'good' if found[-1].good else 'BAD'}, {found[-1].seconds:g} s", style="dim")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in HEADER:
        table.add_column(column, overflow="fold")
    for line in lines(found):
        table.add_row(*map(escape, line))
    cli.console().print(table)
    if options.write:
        write(options.write, found)
    return 0 if all(one.good for one in found) else 1


def lines(found: Sequence[Outcome]) -> list[list[str]]:
    """Return the table's lines as text."""
    out = []
    for one in found:
        told = one.told if len(one.told) <= _MOST else one.told[: _MOST - 1] + "…"
        counts = [str(one.ok), str(one.again), str(one.failed), str(one.wrong)]
        out.append([one.fault, one.put_in, *counts, one.ended or "BADLY", told, f"{one.seconds:g}"])
    return out


def write(path: Path, found: Sequence[Outcome]) -> None:
    """Put the table between the marks of a document.

    Raises:
        BenchError: it can't be read or written, or has no marks.
    """
    try:
        text = reading.text(path, "give another --write")
        before, rest = text.split(_BEGIN, 1)
        table, after = rest.split(_END, 1)
        safe = merged(table, [[cell.replace("|", "/") for cell in line] for line in lines(found)])
        path.write_text(f"{before}{_BEGIN}\n{tables.markdown(HEADER, safe)}{_END}{after}", encoding="utf-8")
    except OSError as e:
        raise BenchError(f"{path} can't be written ({e.strerror})", cure="give another --write") from e
    except (ValueError, IndexError) as e:
        raise BenchError(f"{path} has no place for the table", cure=f"write {_BEGIN} and {_END} into it") from e


def merged(table: str, found: Sequence[list[str]]) -> list[list[str]]:
    """Return the lines of an earlier table with those of `found` in their places, and the new ones at its end."""
    earlier = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.strip().splitlines()]
    rows = {row[0]: row for row in earlier[2:] if len(row) == len(HEADER) and earlier[0] == HEADER}
    return list((rows | {row[0]: row for row in found}).values())


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
