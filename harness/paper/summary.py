"""Sums up the whole paper: tables, claims and the list of figures, on one page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.captions import rule
from harness.analysis.comparison import claims, method
from harness.analysis.costs import cost_of
from harness.analysis.curves import choices_at
from harness.analysis.datum import Datum, RunData, at, pick
from harness.analysis.material import Material
from harness.analysis.pareto import pareto
from harness.host import cli
from harness.measure import axes
from harness.measure.axes import WIFI_BPS
from harness.runs.measurements import STAGES
from harness.show import tables
from harness.show.figures.of_runs import FRONT_RATES

_FRONT_NOTE = (
    "\\* on the front at that rate: no other scheme's curve is as quick and more accurate. Settings of a scheme stand "
    "here where they are on the front, and no more than 2 points below the least accurate scheme."
)
_BELOW = 2.0  # points of accuracy


@dataclass(frozen=True)
class Table:
    """Holds one table of a data set: the page shows it under `heading`, and a file of this name holds it."""

    name: str  # "" for one that the comparison with the paper has written already
    heading: str  # "" for the first one, which stands under the data set's own
    caption: str
    header: Sequence[str]
    lines: Sequence[Sequence[str]]
    note: str = ""  # below the lines


def tables_of(material: Material, dataset: str, *, profile: str) -> list[Table]:
    """Return the tables of one data set: schemes, fronts and claims; nothing where its rates were not measured."""
    run = material.run("bandwidth", dataset)
    if run is None:
        return []
    found = claims.findings(material, dataset)
    judged = [method.line(v) for v in method.verdicts(dataset, profile)]
    rate = cli.rate_text(WIFI_BPS)
    return [
        Table(f"schemes-{dataset}", "", f"All schemes on {dataset} at {rate}. {run.note}", *schemes(run)),
        Table(
            f"front-{dataset}",
            "Accuracy against latency",
            f"Accuracy against latency on {dataset}; with *: on the Pareto front at that rate. {run.note}",
            *fronts(material, dataset),
            note=_FRONT_NOTE,
        ),
        Table(
            "", "Claims about the system", f"{dataset}: the paper's claims about the system.",
            list(claims.HEADER), [c.line for c in found],
        ),
        Table(
            f"method-claims-{dataset}", "Claims about the method",
            f"The paper's claims about its method, {dataset}, {profile} networks.", list(method.HEADER), judged,
        ),
    ]  # fmt: skip


def page(
    material: Material, found: Mapping[str, Sequence[Table]], figures: Sequence[Path], missing: Sequence[str], out: Path
) -> str:
    """Return the README.md of the output folder, with the tables `found` of each data set."""
    parts = ["# The paper's figures and tables, from this bench\n"]
    for dataset, its_tables in found.items():
        run = material.run("bandwidth", dataset)
        if run is None:
            continue
        here = rule(run.cells, ours=axes.axis(run.axis).statistic)
        parts.append(f"## {dataset}\n\n{run.note} Values: {here}.\n")
        for table in its_tables:
            heading = f"### {table.heading}\n\n" if table.heading else ""
            note = f"\n{table.note}\n" if table.note else ""
            parts.append(heading + tables.markdown(table.header, table.lines) + note)
    parts.append("## Figures\n\n" + "\n".join(f"- [{p.stem}]({p.relative_to(out).as_posix()})" for p in figures) + "\n")
    if missing:
        parts.append("Not drawn:\n\n" + "\n".join(f"- {line}" for line in missing) + "\n")
    return "\n".join(parts)


def schemes(run: RunData) -> tuple[list[str], list[list[str]]]:
    """Return a line a scheme: accuracy of the whole test set, stages at 6 Mbit/s, bytes, energy and memory."""
    here = at([d for d in run.data if d.axis], WIFI_BPS)
    header = ["scheme", "accuracy % (n)", *(f"{s} ms" for s in STAGES), "total ms", "p95 ms", "B a picture",
              "energy mJ", "flash KB", "RAM KB", "training PFLOP", "CPU s"]  # fmt: skip
    lines = []
    for name in dict.fromkeys(d.scheme for d in run.data):
        accuracy = pick(run.data, "accuracy", scheme=name)
        own = {d.metric: d for d in [*run.data, *here] if d.scheme == name}
        wanted = [d.metric for d in here if d.scheme == name]
        stage = [_number(own, f"{s}_ms", wanted, 2) for s in STAGES]
        told = f"{accuracy[0].value:.1f} ({accuracy[0].n:,})" if accuracy else "–"
        energy = own["energy_uj"].value / 1e3 if "energy_uj" in wanted else None
        lines.append(
            [
                next(d.title for d in run.data if d.scheme == name),
                told,
                *stage,
                _number(own, "total_ms", wanted, 1),
                _number(own, "total_ms_p95", wanted, 1),
                _number(own, "payload_bytes", wanted, 0),
                "–" if energy is None else f"{energy:.2f}",
                _number(own, "flash_kb", list(own), 0),
                _number(own, "ram_kb", list(own), 0),
                *cost_of(run.manifest["schemes"][name]).texts,
            ]
        )
    return header, lines


def _number(own: dict[str, Datum], metric: str, wanted: Sequence[str], digits: int) -> str:
    return f"{own[metric].value:,.{digits}f}" if metric in wanted and metric in own else "–"


def fronts(material: Material, dataset: str) -> tuple[list[str], list[list[str]]]:
    """Return a line a scheme: its accuracy, and its latency at each rate with a star on the Pareto front there."""
    header = ["scheme", "accuracy %", *(f"ms at {rate / 1e6:g} Mbit/s" for rate in FRONT_RATES)]
    at_rate = {rate: {c.scheme: c for c in choices_at(material, dataset, rate)} for rate in FRONT_RATES}
    on = {rate: {c.scheme for c in pareto(list(found.values()))} for rate, found in at_rate.items()}
    lines = []
    every = dict.fromkeys(s for found in at_rate.values() for s in found)
    first = {s: next(found[s] for found in at_rate.values() if s in found) for s in every}
    mains = [c.accuracy for s, c in first.items() if c.curve in ("", s)]
    for scheme, some in first.items():
        starred = any(scheme in own for own in on.values())
        if some.curve not in ("", scheme) and not (starred and some.accuracy >= min(mains) - _BELOW):
            continue
        cells = []
        for rate in FRONT_RATES:
            c = at_rate[rate].get(scheme)
            cells.append("–" if c is None else f"{c.latency_ms:.1f}{' *' if scheme in on[rate] else ''}")
        lines.append([some.title, f"{some.accuracy:.1f}", *cells])
    return header, lines
