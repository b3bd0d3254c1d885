"""`python -m harness.claims`: judge each claim of the paper about its method by what was found here."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from harness.analysis.comparison.method import CLAIMS, HEADER, Verdict, line, verdicts
from harness.artefacts import images
from harness.host import cli
from harness.runs.paths import TRAINED_ROWS
from harness.runs.store import Store, csv_text
from harness.show import table_files

COLUMNS = (
    *("name", "claim", "where", "published", "ours", "holds", "equal", "n", "seeds", "budget", "rule", "command"),
)


def main(argv: list[str]) -> int:
    """Judge every claim, show the table, write it."""
    p = cli.Parser(prog="python -m harness.claims", description=(__doc__ or "").splitlines()[0])
    p.add_argument("--dataset", default="cifar10", metavar="D", help="default: %(default)s")
    p.add_argument("--profile", default="compact", metavar="P", help="default: %(default)s")
    p.add_argument(
        "--rows", type=Path, action="append", metavar="DIR", help="of training sweeps; default: the committed"
    )
    p.add_argument("--weights", type=Path, metavar="DIR", help="folder of trained schemes; default: the committed")
    p.add_argument("--claims", type=Path, default=CLAIMS, metavar="FILE", help="default: results/published/claims.toml")
    p.add_argument("--out", type=Path, metavar="DIR", help="write claims-D.csv and .md there")
    cli.add_json(p)
    cli.add_common(p)
    options = p.parse_args(argv)
    cli.set_up_logging(options.verbose)
    images.check_name(options.dataset)
    judged = verdicts(
        options.dataset,
        options.profile,
        folders=options.rows or [TRAINED_ROWS],
        weights=options.weights,
        claims=options.claims,
    )
    if options.json:
        cli.print_json([_record(v) for v in judged])
        return 0
    out = cli.console()
    shown = Table(
        title=f"The paper's claims, {options.dataset}, {options.profile}", title_justify="left", box=box.SIMPLE_HEAD
    )
    for name in HEADER:
        shown.add_column(name)
    for verdict in judged:
        shown.add_row(*line(verdict))
    out.print(shown)
    for command in dict.fromkeys(v.claim.command for v in judged if v.word == "not measured"):
        out.print(f"not measured yet: {command} --dataset {options.dataset}", markup=False, soft_wrap=True)
    if options.out:
        store, stem = Store(options.out), f"claims-{options.dataset}"
        lines = [_record(v) for v in judged]
        out.print(str(store.write_text(f"{stem}.csv", csv_text(COLUMNS, lines))), soft_wrap=True)
        title = f"The paper's claims about its method, {options.dataset}, {options.profile} networks."
        for path in table_files.text_files(store, stem, title, HEADER, [line(v) for v in judged]):
            out.print(str(path), soft_wrap=True)
    return 0


def _record(v: Verdict) -> dict[str, Any]:
    c = v.claim
    return {
        "name": c.name,
        "claim": c.text,
        "where": c.where,
        "published": c.published,
        "ours": v.ours,
        "holds": v.word,
        **asdict(v.basis),
        "rule": c.rule,
        "command": c.command,
    }


if __name__ == "__main__":
    sys.exit(cli.way_in(main))
