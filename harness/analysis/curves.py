"""Gathers what accuracy and latency every scheme and setting has at one link rate: the points of its curve.

Points come from runs over link rates (`sweep bandwidth`, `table`, `split`, `curve`), where a setting of a scheme names
its scheme in the manifest, and from rows of sweeps that lay a setting over the very weights of such a run. Rows of
short trainings are points of no curve: they had another budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.analysis.datum import RunData, at, pick
from harness.analysis.material import Material
from harness.analysis.pareto import Choice
from harness.analysis.stats import share_error
from harness.measure.axes import AXES
from harness.runs.trained_rows import RATES

_OVER_WEIGHTS = "weights-"  # begins the recipe hash of a row that was laid over trained weights


def choices_at(material: Material, dataset: str, rate_bps: float) -> list[Choice]:
    """Return every scheme and setting with an accuracy at one rate, the last bandwidth run's own first."""
    main = material.run("bandwidth", dataset)
    if main is None:
        return []
    found = {c.scheme: c for c in _of_run(main, rate_bps)}
    told = {str(facts["weights"]) for facts in main.manifest["schemes"].values()}
    for run in reversed(material.runs):
        axis = AXES.get(run.axis)
        same = (run.dataset, run.testbed) == (dataset, main.testbed)
        if run is main or not same or axis is None or axis.column != "rate_bps":
            continue
        schemes = run.manifest["schemes"]
        for c in _of_run(run, rate_bps):
            if c.curve in found and c.scheme not in found and str(schemes[c.scheme]["weights"]) not in told:
                found[c.scheme] = c
    return [*found.values(), *_of_rows(material, main, rate_bps)]


def base_of(name: str, facts: Mapping[str, Any]) -> str:
    """Return the scheme of which `name` in a run is a setting; itself where it is none."""
    return str(facts.get("base") or name)


def _of_run(run: RunData, rate_bps: float) -> list[Choice]:
    accuracy = {d.scheme: d for d in pick(run.data, "accuracy")}
    schemes = run.manifest["schemes"]
    return [
        Choice(
            d.scheme, d.title, d.value, accuracy[d.scheme].value, d.source, base_of(d.scheme, schemes[d.scheme]),
            str(schemes[d.scheme].get("setting") or ""), _error(accuracy[d.scheme].value, accuracy[d.scheme].n),
        )
        for d in at(pick(run.data, "total_ms"), rate_bps)
        if d.scheme in accuracy
    ]  # fmt: skip


def _of_rows(material: Material, main: RunData, rate_bps: float) -> list[Choice]:
    """Return the rows that lay a setting over AgileNN's weights of the run: early exits by their threshold."""
    facts = main.manifest["schemes"].get("agilenn")
    column = next((name for name, rate in RATES.items() if abs(rate - rate_bps) <= 1e-3 * rate), None)
    if facts is None or column is None:
        return []
    own = f"{_OVER_WEIGHTS}{str(facts['weights'])[:8]}"
    return [
        Choice(
            f"agilenn {row.axis} {row.value}", f"{facts['title']}, {row.axis} {row.value}", ms, 100 * accuracy,
            row.columns.get("time_source") or "modelled", "agilenn", f"{row.axis} {row.value}",
            _error(100 * accuracy, row.number("n_test")),
        )
        for row in material.trained
        if row.dataset == main.dataset and row.columns.get("recipe_hash") == own
        and (ms := row.number(column)) is not None and (accuracy := row.number("accuracy")) is not None
    ]  # fmt: skip


def _error(percent: float, n: float | None) -> float:
    return 100 * share_error(percent / 100, n) if n else 0.0
