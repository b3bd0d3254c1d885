"""Defines what the training sweeps vary: for each value keys of the recipe, and the paper's figures beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.contracts.errors import BenchError
from harness.runs import published as papers
from harness.runs.published import Value
from harness.training.sweep.plan import Plan

Published = dict[tuple[str, str], float]  # (value as shown, metric) -> figure, in the metric's published unit


@dataclass(frozen=True)
class Setting:
    """Holds one point: its value as rows show it, keys of the recipe, a preset laid under them."""

    value: str
    overrides: dict[str, str]
    preset: str | None = None

    @property
    def told(self) -> str:
        """Return what messages call it: its value, and its seed where it has one of its own."""
        return f"{self.value}, seed {self.overrides['seed']}" if "seed" in self.overrides else self.value


@dataclass(frozen=True)
class TrainedAxis:
    """Defines one thing to vary in training. `key` is the recipe's; `variants` for those whose values are names."""

    name: str
    title: str  # of the plot's axis
    doc: str
    shown: tuple[str, ...]  # columns that the table shows, accuracy first
    key: str = ""
    figure: str = ""  # results/published/<figure>.csv
    x_factor: float = 1.0  # the figure's x = value * x_factor
    only: str = ""  # part of the published rows' title
    at_x: float | None = None  # of the published rows, where x is not what varies
    variants: Mapping[str, dict[str, str]] = field(default_factory=dict)
    presets: Mapping[str, str] = field(default_factory=dict)  # variant -> preset of the recipe
    published_names: Mapping[str, str] = field(default_factory=dict)  # variant -> the published rows' title
    also: Mapping[str, str] = field(default_factory=dict)  # keys set at every value
    needs: tuple[str, ...] = ()  # columns without which a row that was kept does not count

    def setting(self, value: float | str) -> Setting:
        """Return the point at a value.

        Raises:
            BenchError: the axis has no such variant.
        """
        shown = show(value)
        if self.key:
            return Setting(shown, {**self.also, self.key: json.dumps(value)})
        if shown not in {**self.variants, **self.presets}:
            known = ", ".join({**self.variants, **self.presets})
            raise BenchError(f"axis {self.name} has no value '{shown}'", cure=f"choose from {known}")
        return Setting(shown, {**self.also, **self.variants.get(shown, {})}, self.presets.get(shown))

    def published(self, dataset: str, values: list[str]) -> tuple[Published, str]:
        """Return the paper's figures by value and metric, and their data set, which is this one ("" where there are
        none).
        """
        if not self.figure:
            return {}, ""
        rows = [row for row in papers.beside(self.figure, dataset) if self.only in row.title]
        found: Published = {}
        for value in values:
            for row in rows:
                if self._is(row, value):
                    found[value, row.metric] = row.value
        return found, dataset if found else ""

    def _is(self, row: Value, value: str) -> bool:
        if self.at_x is not None and row.x != self.at_x:
            return False
        if self.published_names:
            return value in self.published_names and self.published_names[value] in row.title
        return abs(row.x - float(value) * self.x_factor) < 1e-6


def show(value: float | str) -> str:
    """Return a value as text: 0.7 -> `0.7`, 4.0 -> `4`, names as they are."""
    return value if isinstance(value, str) else f"{value:g}"


_NO_SHAPING = {"losses.skewness_weight": "0.0", "losses.disorder_weight": "0.0"}
_CENTROIDS = (2, 3, 4, 8)
# Importance chooses the channels or chance does, and shapes them or does not: `chosen-shaped-8` is AgileNN.
_SHAPING = {
    f"{channels}-{kind}-{centroids}": {
        "preselect.method": method, "codebook.centroids": str(centroids), **(_NO_SHAPING if kind == "plain" else {})
    }
    for channels, method in (("random", "random"), ("chosen", "topk_appearance"))
    for kind in ("plain", "shaped")
    for centroids in _CENTROIDS
}  # fmt: skip

_ALL = (
    TrainedAxis(
        name="rho",
        title="asked skewness rho",
        doc="share of importance that must lie in the local channels (the paper's Fig 21, column of 20 %)",
        shown=("accuracy", "skewness", "violations", "payload_bytes_mean"),
        key="losses.rho",
        figure="fig21",
        at_x=20.0,
        published_names={f"0.{n}": f"rho {n}0 %" for n in (7, 8, 9)},
    ),
    TrainedAxis(
        name="topk",
        title="share of channels kept local",
        doc="share of channels that stay on the device (Fig 21, row of rho 80 %)",
        shown=("accuracy", "skewness", "violations", "payload_bytes_mean"),
        key="network.split",
        figure="fig21",
        x_factor=100.0,
        only="rho 80 %",
    ),
    TrainedAxis(
        name="lambda",
        title="weight lambda of the prediction loss",
        doc="weight of prediction against skewness and disorder (Fig 10)",
        shown=("accuracy", "skewness", "violations"),
        key="losses.lambda",
        figure="fig10",
    ),
    TrainedAxis(
        name="temperature",
        title="temperature T of alpha",
        doc="temperature of alpha = sigmoid(w / T), alpha as trained (Fig 8)",
        shown=("accuracy", "alpha", "local_accuracy", "remote_accuracy"),
        key="temperature",
        figure="fig08",
        also={"alpha": "learned"},
    ),
    TrainedAxis(
        name="ordering",
        title="disorder loss",
        doc="how channels are put in order (Fig 9); element is the public code's form",
        shown=("accuracy", "violations", "skewness"),
        figure="fig09",
        variants={
            "original": {"losses.disorder_weight": "0.0"},
            "descending": {"losses.disorder": "descent"},
            "relaxed": {"losses.disorder": "channel"},
            "element": {"losses.disorder": "element"},
        },
        published_names={"original": "original", "descending": "descending", "relaxed": "relaxed"},
    ),
    TrainedAxis(
        name="xai",
        title="importance by",
        doc="how importance is measured (Fig 24): gradient saliency, Integrated Gradients in two points or in more",
        shown=("accuracy", "skewness", "violations", "train_s"),
        figure="fig24",
        variants={name: {"importance.method": name} for name in ("saliency", "ig2", "ig")},
        published_names={"saliency": "Saliency", "ig": "Integrated"},
    ),
    TrainedAxis(
        name="compression",
        title="centroids of the codebook",
        doc="accuracy against compression (Fig 17): coarser codebooks of the trained weights, and ones trained coarser",
        shown=("accuracy", "remote_accuracy", "payload_bytes_mean", "payload_bytes_p95", "compression"),
        key="codebook.centroids",
    ),
    TrainedAxis(
        name="importance",
        title="samples a batch whose importance is computed",
        doc="does computing importance on part of a batch hurt?",
        shown=("accuracy", "skewness", "violations", "train_s"),
        key="importance.batch",
    ),
    TrainedAxis(
        name="ablation",
        title="what is left out",
        doc="control (no split, nothing quantised), all channels sent (the paper's footnote 9), random local channels",
        shown=("accuracy", "local_accuracy", "remote_accuracy", "skewness", "payload_bytes_mean"),
        variants={"agilenn": {}},
        presets={name: name for name in ("control", "all_sent", "random")},
    ),
    TrainedAxis(
        name="shaping",
        title="channels, shaping, centroids",
        doc="is shaping by importance worth its bytes? random or chosen channels, shaped or not, 2 to 8 centroids",
        shown=("accuracy", "accuracy_sd", "seeds", "bytes_lzw", "bytes_context", "train_flop", "train_cpu_s"),
        variants=_SHAPING,
        needs=("bytes_lzw", "bytes_context"),
    ),
)

AXES: dict[str, TrainedAxis] = {axis.name: axis for axis in _ALL}


def settings(axis: TrainedAxis, plan: Plan, values: list[str] | None) -> list[Setting]:
    """Return the points of an axis: those asked for, else the plan's.

    Raises:
        BenchError: the plan has no values for it, or a value is none of the axis.
    """
    if values is None:
        if not plan.values.get(axis.name):
            raise BenchError(f"the plan has no values for axis {axis.name}", cure="give some by --values")
        return [axis.setting(value) for value in plan.values[axis.name]]
    return [axis.setting(_number(axis, text)) for text in values]


def seeded(points: Sequence[Setting], seeds: Sequence[int], *, reference: bool) -> list[Setting]:
    """Return each point once a seed, all points of a seed together.

    Args:
        reference: the reference network has the seed too, as another one is another teacher and judge.
    """
    return [
        replace(
            point,
            overrides={**point.overrides, "seed": str(seed), **({"reference.seed": str(seed)} if reference else {})},
        )
        for seed in seeds
        for point in points
    ]


def _number(axis: TrainedAxis, text: str) -> float | str:
    if not axis.key:
        return text
    try:
        value = float(text)
    except ValueError:
        raise BenchError(f"--values: '{text}' is no number", cure=f"give numbers for {axis.key}") from None
    return int(value) if value.is_integer() else value


def pareto(plan: Plan) -> list[Setting]:
    """Return the candidates of the Pareto search."""
    return [
        Setting(name, {key: value if isinstance(value, str) else json.dumps(value) for key, value in keys.items()})
        for name, keys in plan.pareto.items()
    ]


def as_dict(settings_: list[Setting]) -> dict[str, Any]:
    """Return the setting for a manifest."""
    return {s.value: {"preset": s.preset, **s.overrides} for s in settings_}
