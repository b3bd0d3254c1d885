"""Sets our values beside the paper's: the same scheme, data set and place of the axis, and their ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.datum import Datum, at, beside, pick
from harness.analysis.material import Material

# The paper's name of a scheme -> ours (docs/baselines.md says how far each is the same).
COUNTERPARTS = {
    "agilenn": "agilenn",
    "deepcod": "deepcod",
    "spinn": "partition",
    "edge_only": "full_offload",
    "mcunet": "local_only",
}
_FIGURES = (("fig16", "bandwidth"), ("fig22", "frequency"), ("fig23", "bandwidth"))


@dataclass(frozen=True)
class Pair:
    """Holds one published value and ours; `ratio` is ours divided by the paper's."""

    figure: str
    dataset: str
    published_dataset: str
    scheme: str
    title: str
    metric: str
    unit: str
    x: float
    ours: float
    published: float
    source: str

    @property
    def ratio(self) -> float | None:
        """Return the ratio; None where the paper's value is 0."""
        return self.ours / self.published if self.published else None


def pairs(material: Material, dataset: str) -> list[Pair]:
    """Return every published value that this data set's runs have a counterpart of."""
    found: list[Pair] = []
    for figure, axis in _FIGURES:
        run = material.run(axis, dataset)
        if run is None:
            continue
        for p in beside(figure, dataset):
            ours_name = COUNTERPARTS.get(p.scheme)
            if ours_name is None:
                continue
            if p.metric == "accuracy" and p.dataset != dataset:
                continue  # the accuracies of two data sets say nothing of each other
            own = pick(run.data, p.metric, scheme=ours_name)
            if p.metric != "accuracy":
                own = at(own, p.x)
            found += [_pair(figure, p, d) for d in own[:1]]
    run = next((r for r in reversed(material.runs) if r.dataset == dataset), None)
    for p in beside("fig20", dataset) if run else ():
        name = COUNTERPARTS.get(p.scheme)
        if run and name and p.metric in ("ram_kb", "flash_kb"):
            found += [_pair("fig20", p, d) for d in pick(run.data, p.metric, scheme=name)[:1]]
    return found


def _pair(figure: str, published: Datum, ours: Datum) -> Pair:
    return Pair(
        figure, ours.dataset, published.dataset, ours.scheme, ours.title, ours.metric, ours.unit, published.x,
        ours.value, published.value, ours.source,
    )  # fmt: skip


def orders(data: Sequence[Pair], metric: str, x: float) -> tuple[list[str], list[str]]:
    """Return the schemes from the least to the greatest value of a metric at x: ours, and the paper's order of the same
    ones.
    """
    own = [p for p in data if p.metric == metric and p.x == x]
    return (
        [p.title for p in sorted(own, key=lambda p: p.ours)],
        [p.title for p in sorted(own, key=lambda p: p.published)],
    )
