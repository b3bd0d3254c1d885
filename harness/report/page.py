"""Puts the page of a run together: headline, figures, timelines, certificates, warnings, manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from harness.analysis import chance
from harness.analysis.captions import rule
from harness.analysis.cells import Accuracy, Cell, accuracies_of, cells
from harness.analysis.curves import base_of
from harness.analysis.pareto import Choice, pareto
from harness.measure import axes
from harness.measure.axes import WIFI_BPS, Axis
from harness.report import energy, markup, outcome, svg, timeline
from harness.report.markup import Markup, tag, text
from harness.runs.manifest import Manifest
from harness.runs.measurements import ENERGY_METRICS, STAGES
from harness.runs.store import Store
from harness.show import style, tables

_MOST_ERRORS = 20


def build(store: Store, *, live: bool = False) -> str:
    """Return the whole page as HTML.

    Args:
        live: of a run that goes on: says how far it is, and loads itself anew every two seconds.

    Raises:
        BenchError: the run can't be read, or is none of a sweep.
    """
    facts = store.facts()
    rows = store.rows()
    axis = axes.axis(facts.axis.name if facts.axis else "none")
    titles = {name: scheme.title for name, scheme in facts.schemes.items()}
    accuracies = accuracies_of(facts)
    found = cells(rows, axis.column, list(titles), axis.statistic, accuracies, chance.of_run(facts))
    note = f"Times {facts.testbed.time_source} on {facts.testbed.title}"
    note += f" ({facts.testbed.remarks})" if facts.testbed.remarks else ""
    note += f"; {facts.pinned.told}." if facts.pinned else "."
    heading = f"{axis.name}: {', '.join(titles.values())} on {facts.dataset.name}"
    parts = [
        tag("a", "Skip to the results", href="#results", _class="skip"),
        tag("header", tag("h1", text(heading)), tag("p", text(_lead(facts)), _class="note")),
    ]
    if live:
        parts.append(_progress(facts, rows))
    parts.append(tag("main", *_body(store, facts, rows, axis, found, titles, accuracies, note), id="results"))
    css = resources.files("harness.report").joinpath("page.css").read_text(encoding="utf-8")
    head = [
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta http-equiv="refresh" content="2">' if live and facts.status == "running" else "",
        tag("title", text(f"{heading} - AgileNN bench")),
        f"<style>{css}</style>",
    ]
    return f'<!doctype html>\n<html lang="en"><head>{"".join(head)}</head><body>{"".join(parts)}</body></html>\n'


def _lead(facts: Manifest) -> str:
    n = len(facts.images)
    bits = [
        f"{n} pictures a point, seed {facts.seed}",
        f"networks {facts.dataset.profile}",
        f"run {facts.status}, began {facts.began_at}",
    ]
    if facts.commit:
        bits.append(f"commit {facts.commit.hash[:12]}{' with changes' if facts.commit.dirty else ''}")
    return "; ".join(bits) + "."


def _progress(facts: Manifest, rows: Sequence[Mapping[str, Any]]) -> Markup:
    done, total = len(rows), len(facts.order)
    bar = tag("progress", value=done, max=total, aria_label="samples taken")
    said = f"{done} of {total} samples, run {facts.status}. " + (
        "Loads anew every 2 s." if facts.status == "running" else ""
    )
    return tag("p", bar, " ", text(said), _class="live", role="status")


def _body(
    store: Store,
    facts: Manifest,
    rows: Sequence[dict[str, Any]],
    axis: Axis,
    found: Sequence[Cell],
    titles: Mapping[str, str],
    accuracies: Mapping[str, Accuracy],
    note: str,
) -> list[Markup]:
    values = {c.value: axis.show(c.value) for c in sorted(found, key=lambda c: c.value)}
    parts = [tag("h2", "Latency and accuracy")]
    if not any(c.latency for c in found):
        parts.append(tag("p", "No sample has been measured yet."))
    else:
        header, lines = tables.summary(found, titles, values, accuracies)
        caption = f"Latency in ms with {tables.spread(found)}: {rule(found, ours=axis.statistic)}. {note}"
        parts.append(markup.table(caption, header, lines, name="headline"))
        parts.append(_latency(axis, found, titles, facts.dataset.name, values))
        bases = {name: base_of(name, scheme.model_dump()) for name, scheme in facts.schemes.items()}
        parts += _fronts(axis, found, titles, accuracies, values, bases)
        parts += _stages(axis, found, titles, values, note)
        parts += _energies(axis, found, titles, values)
        parts += _timelines(rows, axis, found, titles, values)
    parts += _certificates(facts)
    said = outcome.warnings(found, rows, axis)
    parts.append(tag("h2", "Warnings"))
    parts += [tag("p", text(line), _class="warning") for line in said] or [tag("p", "None.")]
    failed = [r for r in rows if r["status"] != "ok"]
    if failed:
        lines = [[str(r["scheme"]), axis.show(r[axis.column]), str(r["image"]), str(r["error"])] for r in failed]
        caption = f"Failed samples{f', the first {_MOST_ERRORS} of {len(lines)}' if len(lines) > _MOST_ERRORS else ''}"
        parts.append(markup.table(caption, ["scheme", axis.name, "picture", "what failed"], lines[:_MOST_ERRORS]))
    parts.append(tag("h2", "How it was measured"))
    parts.append(markup.table("Settings and versions", ["what", "value"], _settings(facts), prose=True))
    whole = json.dumps(facts.model_dump(mode="json"), indent=2)
    parts.append(tag("details", tag("summary", "The whole manifest"), tag("pre", text(whole), tabindex="0")))
    more = store.folder / "doctor.json"
    if more.is_file():
        doctor = tag("pre", text(more.read_text(encoding="utf-8", errors="replace")[:100_000]), tabindex="0")
        parts.append(tag("details", tag("summary", "Report of the bench's doctor"), doctor))
    return parts


def _latency(
    axis: Axis, found: Sequence[Cell], titles: Mapping[str, str], dataset: str, values: Mapping[float, str]
) -> Markup:
    series = []
    for index, scheme in enumerate(dict.fromkeys(c.scheme for c in found)):
        drawn, title = style.line(scheme, index), titles.get(scheme, scheme)
        marks = tuple(
            svg.Mark(c.value, c.latency.median, f"{title}, {values[c.value]}: {tables.latency_text(c.latency)} ms")
            for c in found
            if c.scheme == scheme and c.latency and c.latency.median > 0
        )
        if marks:
            series.append(svg.Series(title, drawn.colour, drawn.marker, marks))
    published = [v for v in axis.published(dataset) if v.x in values]
    for scheme in dict.fromkeys(v.scheme for v in published):
        own = sorted((v for v in published if v.scheme == scheme), key=lambda v: v.x)
        drawn = style.line(scheme, 0)
        marks = tuple(svg.Mark(v.x, v.value, f"{v.title} (paper), {values[v.x]}: {v.value:g} ms") for v in own)
        series.append(svg.Series(f"{own[0].title} (paper)", drawn.colour, drawn.marker, marks, open=True))
    log = axis.log_scale and min(values) > 0
    drawn_chart = svg.chart(
        series, name="latency", title=f"End-to-end latency against {axis.title}",
        description="A line a scheme; values stand in the table above. Hollow marks on dashed lines: the paper's.",
        x_label=axis.title, y_label="latency (ms)", x_ticks=dict(values), x_log=log, y_log=True,
    )  # fmt: skip
    hollow = " Hollow: published." if published else ""
    return markup.figure(drawn_chart, f"Latency against {axis.title}, values as in the table above.{hollow}")


def _fronts(
    axis: Axis,
    found: Sequence[Cell],
    titles: Mapping[str, str],
    accuracies: Mapping[str, Accuracy],
    values: Mapping[float, str],
    bases: Mapping[str, str],
) -> list[Markup]:
    value = nearest(axis, list(values))
    choices = [
        Choice(
            c.scheme,
            titles.get(c.scheme, c.scheme),
            c.latency.median,
            100 * accuracies[c.scheme].share,
            "",
            bases.get(c.scheme, ""),
        )
        for c in found
        if c.value == value and c.latency and c.latency.median > 0 and c.scheme in accuracies
    ]
    if len(choices) < 2:
        return []
    on = pareto(choices)
    series = []
    for index, c in enumerate(choices):
        drawn = style.line(c.scheme, index)
        where = "on the front" if c in on else "not on the front"
        says = f"{c.title}: {c.latency_ms:.1f} ms, {c.accuracy:.1f} %, {where}"
        series.append(svg.Series(c.title, drawn.colour, drawn.marker, (svg.Mark(c.latency_ms, c.accuracy, says),)))
    front = tuple(svg.Mark(c.latency_ms, c.accuracy, f"front: {c.title}") for c in on)
    series.insert(0, svg.Series("Pareto front", "#777777", "o", front, stepped=True))
    chart = svg.chart(
        series, name="front", title=f"Accuracy against latency at {values[value]}",
        description="A mark a scheme or setting; the grey line joins those that no other's curve beats in both.",
        x_label=f"latency at {values[value]} (ms)", y_label="accuracy (%)", x_log=True,
    )  # fmt: skip
    return [markup.figure(chart, f"Accuracy of the whole test set against latency at {values[value]}.")]


def nearest(axis: Axis, values: Sequence[float]) -> float:
    """Return the value to show in detail: the paper's Wi-Fi where rates vary, else the last."""
    return min(values, key=lambda v: abs(v - WIFI_BPS)) if axis.column == "rate_bps" else values[-1]


def _stages(
    axis: Axis, found: Sequence[Cell], titles: Mapping[str, str], values: Mapping[float, str], note: str
) -> list[Markup]:
    lines = tables.stage_lines(found, titles, values)
    header = ["scheme", "at", *(f"{stage} ms" for stage in STAGES), "total ms"]
    whole = markup.table(f"In ms: {rule(found, ours=axis.statistic)}. {note}", header, lines, name="stages")
    return [tag("h2", "Stages"), tag("details", tag("summary", text(f"Stages of all {len(lines)} points")), whole)]


def _energies(
    axis: Axis, found: Sequence[Cell], titles: Mapping[str, str], values: Mapping[float, str]
) -> list[Markup]:
    """Return what an inference costs at each value, and by stage, where energies were asked for."""
    if not any(c.middle("energy_uj") is not None for c in found):
        return []
    by = {(c.scheme, c.value): c.middle("energy_uj") for c in found}
    uj = ENERGY_METRICS["energy_uj"]
    lines = [
        [titles.get(scheme, scheme), *(uj.show(by.get((scheme, value))) for value in values)]
        for scheme in dict.fromkeys(c.scheme for c in found)
    ]
    caption = f"In uJ: {rule(found, ours=axis.statistic)}. {energy.energy_note(found)}"
    stages = [
        [titles.get(c.scheme, c.scheme), values[c.value], *(m.show(c.middle(n)) for n, m in ENERGY_METRICS.items())]
        for c in found
    ]
    header = ["scheme", "at", *(f"{m.stage} uJ" for m in ENERGY_METRICS.values())]
    whole = markup.table("In uJ by stage; network: all waiting, the edge included", header, stages, name="energies")
    return [
        tag("h2", "Energy of an inference"),
        markup.table(caption, ["scheme", *values.values()], lines, name="energy"),
        tag("details", tag("summary", text(f"Energies by stage of all {len(stages)} points")), whole),
    ]


def _timelines(
    rows: Sequence[Mapping[str, Any]],
    axis: Axis,
    found: Sequence[Cell],
    titles: Mapping[str, str],
    values: Mapping[float, str],
) -> list[Markup]:
    value = nearest(axis, list(values))
    typical = {
        scheme: row
        for scheme in dict.fromkeys(c.scheme for c in found)
        if (row := timeline.typical(rows, scheme, axis.column, value)) is not None
    }
    if not typical:
        return []
    longest = max(float(row["total_ms"]) for row in typical.values())
    parts = [
        tag("h2", text(f"One inference at {values[value]}")),
        tag(
            "p",
            "The sample of median latency of each scheme, of those that were sent where pictures exit early: what "
            "device, link and edge did when.",
            _class="note",
        ),
        timeline.key(),
    ]
    for index, (scheme, row) in enumerate(typical.items()):
        title = titles.get(scheme, scheme)
        parts.append(tag("h3", text(f"{title}: {float(row['total_ms']):.1f} ms (picture {row['image']}{_kind(row)})")))
        drawn = timeline.draw(title, row, longest, f"time{index}")
        parts.append(tag("div", drawn, _class="wide", tabindex="0", role="region", aria_label=f"Timeline of {title}"))
    return parts


def _kind(row: Mapping[str, Any]) -> str:
    return ", left early" if row.get("exited") else ", sent" if row.get("payload_bytes") else ""


def _certificates(facts: Manifest) -> list[Markup]:
    parts = [tag("h2", "Link")]
    if facts.link_certificates:
        keys = list(dict.fromkeys(k for c in facts.link_certificates for k in c))
        lines = [[str(c.get(k, "")) for k in keys] for c in facts.link_certificates]
        parts.append(markup.table("Certificates: what was asked of the link, set and measured", keys, lines))
    elif facts.link is None:
        parts.append(tag("p", "The link was left as it is."))
    else:
        charged = f"{facts.link.header_bytes} B of headers a segment of {facts.link.segment_bytes} B"
        said = f"Virtual link: {charged} are charged."
        parts.append(tag("p", text(said)))
    return parts


def _settings(facts: Manifest) -> list[list[str]]:
    lines = [
        ["command", facts.command],
        ["testbed", f"{facts.testbed.name}: {facts.testbed.title}, {facts.testbed.clock_hz / 1e6:g} MHz"],
        [
            "data set",
            f"{facts.dataset.name}, checksum {facts.dataset.checksum[:16]}, {facts.dataset.test_n} test pictures",
        ],
        ["pinned remote time", json.dumps(facts.pinned.remote_ms) if facts.pinned else "none"],
        ["broker", facts.broker],
        ["Python", facts.python],
        ["host", f"{facts.host.system} {facts.host.kernel}, {facts.host.machine}"],
    ]
    for name, scheme in facts.schemes.items():
        said = f"weights {scheme.weights[:16]}, firmware {scheme.firmware.sha256[:16]}, codec {scheme.codec}"
        lines.append([name, said])
    return lines
