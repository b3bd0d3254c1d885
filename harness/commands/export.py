"""`python -m harness.export RUN`: print a run's figures for other programs, as OpenMetrics text or JSON."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.analysis.datum import read_run, record
from harness.host import cli
from harness.show import openmetrics


def parser() -> cli.Parser:
    """Return the command line."""
    p = cli.Parser(prog="python -m harness.export", description=__doc__)
    p.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    p.add_argument("--format", choices=("openmetrics", "json"), default="openmetrics", help="default: %(default)s")
    cli.add_common(p)
    return p


def main(argv: list[str]) -> int:
    """Print the figures."""
    options = parser().parse_args(argv)
    cli.set_up_logging(options.verbose)
    run = read_run(options.run)
    if options.format == "json":
        cli.print_json(record(run))
    else:
        sys.stdout.write(openmetrics.text(run))
    return 0


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
