"""`python -m harness.report RUN`: make one self-contained page of a run; `--serve` follows a running sweep."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.analysis.datum import read_run, record
from harness.contracts.errors import BenchError
from harness.host import cli
from harness.report.page import build
from harness.report.serve import server
from harness.runs.store import Store

NAME = "report.html"


def parser() -> cli.Parser:
    """Return the command line."""
    p = cli.Parser(prog="python -m harness.report", description=__doc__)
    p.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    p.add_argument("--out", type=Path, metavar="FILE", help=f"default: {NAME} in the run's folder")
    p.add_argument("--serve", action="store_true", help="show the page on this machine while the sweep runs")
    p.add_argument(
        "--port", type=cli.whole(0, 65535, "--port"), default=8000, help="with --serve (default: %(default)s)"
    )
    p.add_argument("--json", action="store_true", help="print the run's figures as JSON instead (harness.export)")
    cli.add_common(p)
    return p


def main(argv: list[str]) -> int:
    """Write the page, or serve it until Ctrl-C."""
    options = parser().parse_args(argv)
    cli.set_up_logging(options.verbose)
    if options.json:
        cli.print_json(record(read_run(options.run)))
        return 0
    store, out = Store.reopen(options.run), cli.console()
    if options.serve:
        with server(options.run, options.port) as serving:
            out.print(
                f"http://{serving.server_address[0]!s}:{serving.server_address[1]}/ (Ctrl-C ends)", soft_wrap=True
            )
            serving.serve_forever()
    page = build(store)
    if options.out is None:
        path = store.write_text(NAME, page)
    elif options.out.is_dir():
        raise BenchError(f"{options.out} is a folder", cure="name a file")
    else:
        path = Store(options.out.parent).write_text(options.out.name, page)
    out.print(str(path), soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
