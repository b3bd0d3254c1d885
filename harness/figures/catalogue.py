"""Every figure by name: what it shows, what it needs, how it is drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import cli, registry, style
from harness.figures import bars, draw, front, grid, lines
from harness.figures.datum import PUBLISHED, Datum, at, of_paper, pick
from harness.figures.material import Material
from harness.figures.training import TrainedRow, as_data
from harness.sweep import axes as axes_
from harness.sweep.trained.axes import AXES

WIFI_BPS = 6e6  # the paper's Wi-Fi (section 6)
FRONT_RATES = (270e3, 2e6, 6e6)
_LIKE = "cifar100"  # the published values to show beside a data set that the paper's figure lacks
_CHANNELS = 24
_ACCURACY = ("accuracy", "accuracy")
_RATE = "compression (float32 features / payload)"
_SKEWNESS = ("skewness", "skewness (%)")


class Missing(Exception):
    """What a figure can't be drawn for want of; one line."""


class Figure(ABC):
    """One figure for one data set."""

    name: str  # of the file
    title: str
    paper: str  # its number in the paper, empty for one of our own
    alt: str  # what a reader who can't see it should know it shows

    @abstractmethod
    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Write `out`.png, .pdf and .svg.

        Raises:
            Missing: what it needs is not there.
        """


def beside(figure: str, dataset: str, axis: str = "") -> list[Datum]:
    """The published values of a figure for a data set, else CIFAR-100's."""
    found = of_paper(figure, axis)
    own = [d for d in found if d.dataset == dataset]
    return own or [d for d in found if d.dataset == _LIKE]


def _said(values: Sequence[Datum], dataset: str) -> str:
    other = sorted({d.dataset for d in values} - {dataset})
    return f" Paper: {other[0]}." if other else ""


class Breakdown(Figure):
    """Stages of one inference, a bar a scheme, ours over the paper's."""

    name, title, paper = "latency_breakdown", "Latency by stage at 6 Mbit/s", "Fig 16"
    alt = "Stacked bars: milliseconds of local network, encoding, network, remote network and combining per scheme"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """A bandwidth run that has 6 Mbit/s."""
        run = material.run("bandwidth", dataset)
        ours = at([d for d in run.data if d.axis], WIFI_BPS) if run else []
        if run is None or not ours:
            raise Missing(f"no bandwidth run of {dataset} with 6 Mbit/s")
        published = beside("fig16", dataset)
        panels = [self._groups(ours, run.data)]
        if published:
            panels.append(self._groups(published, published))
        note = run.note + " Accuracy of the whole test set." + _said(published, dataset)
        heights = [len(groups) for groups in panels]
        shape: Any = {"nrows": len(panels), "height_ratios": heights, "squeeze": False}
        with draw.page(out, note=note, height=0.5 + 0.085 * sum(heights), **shape) as all_axes:
            for axes, groups in zip(all_axes[:, 0], panels, strict=True):
                bars.breakdown(axes, groups)
            all_axes[0, 0].set_title("this bench" if published else "", loc="left", fontsize=7)
            if published:
                all_axes[1, 0].set_title("paper (another scale)", loc="left", fontsize=7)
            all_axes[-1, 0].set_xlabel("latency (ms), medians over the images")
            draw.legend(all_axes[0, 0], columns=3, handles=bars.stage_handles())

    def _groups(self, data: Sequence[Datum], accuracies: Sequence[Datum]) -> list[tuple[str, list[Datum]]]:
        found = []
        for scheme in dict.fromkeys(d.scheme for d in data):
            own = pick_scheme(data, scheme)
            found.append((self._label(scheme, pick(accuracies, "accuracy", scheme=scheme), own), own))
        return found

    @staticmethod
    def _label(scheme: str, accuracy: Sequence[Datum], own: Sequence[Datum]) -> str:
        title = next(d.title for d in own if d.scheme == scheme)
        return f"{title}, {accuracy[0].value:.1f} %" if accuracy else title


def pick_scheme(data: Sequence[Datum], scheme: str) -> list[Datum]:
    """The values of one scheme."""
    return [d for d in data if d.scheme == scheme]


class Latency(Figure):
    """End-to-end latency along the axis of a run."""

    def __init__(self, axis: str, paper: str = "", key: str = "") -> None:
        self._axis, self._key = axes_.axis(axis), key
        self.name, self.title, self.paper = f"latency_vs_{axis}", f"Latency against {self._axis.title}", paper
        self.alt = f"Lines: end-to-end latency of each scheme against {self._axis.title}"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """A run over the axis."""
        axis = self._axis
        run = material.run(axis.name, dataset)
        if run is None:
            raise Missing(f"no {axis.name} run of {dataset}")
        ours = [d for d in pick(run.data, "total_ms") if d.axis == axis.name]
        published = pick(beside(self._key, dataset, axis.name), "total_ms") if self._key else []
        places = lines.places(ours)
        with draw.page(out, note=run.note + _said(published, dataset), height=1.15) as axes:
            lines.lines(axes, ours)
            lines.lines(axes, published)
            log = axis.log_scale and places[0] > 0
            lines.ticks(axes, {x: axis.show(x) for x in places}, log=log, y_log=True)
            for label in axes.get_xticklabels():
                label.set_rotation(25)
            axes.set_xlabel(axis.title)
            axes.set_ylabel(
                f"{axis.statistic} latency (ms)" if axis.statistic != "median" else "end-to-end latency (ms)"
            )
            draw.legend(axes)


class Energy(Figure):
    """Energy of one inference at the highest clock, as ratios to AgileNN beside the paper's."""

    name, title, paper = "energy", "Energy of an inference against AgileNN's", "Fig 19"
    alt = "Bars: energy of an inference per scheme divided by AgileNN's, ours and the paper's"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """A run of any axis with energies."""
        runs = [r for r in material.runs if r.dataset == dataset and pick(r.data, "energy_uj")]
        if not runs:
            raise Missing(f"no run of {dataset} with energies (--energy)")
        run = runs[-1]
        found = pick(run.data, "energy_uj")
        base_x = max(d.x for d in found) if run.axis == "frequency" else min(
            (d.x for d in found), key=lambda x: abs(x - WIFI_BPS)
        )  # fmt: skip
        ours, published = at(found, base_x), pick(beside("fig19", dataset), "energy_uj")
        data = [*ratios(ours), *ratios(published)]
        if not data:
            raise Missing(f"AgileNN's energy of {dataset} is not told")
        mj = ", ".join(f"{d.title} {d.value / 1e3:.1f}" for d in ours)
        where = cli.clock_text(base_x) if run.axis == "frequency" else cli.rate_text(base_x)
        note = (
            f"Ours modelled or measured as the bars say, at {where}: {mj} mJ. The paper names neither "
            f"instrument nor rail, so only ratios compare (docs/power.md).{_said(published, dataset)}"
        )
        with draw.page(out, note=note, height=1.1) as axes:
            bars.grouped(
                axes, data, ["ours", "paper"], lambda d: "paper" if d.source == "published" else "ours", digits=2
            )
            axes.set_ylabel("energy / AgileNN's")
            draw.legend(axes)


def ratios(data: Sequence[Datum]) -> list[Datum]:
    """Values divided by AgileNN's; none where that is not there."""
    base = next((d.value for d in data if d.scheme == "agilenn"), None)
    if not base:
        return []
    return [
        Datum(d.dataset, d.scheme, d.title, f"{d.metric}_ratio", "", d.axis, d.x, d.value / base, d.source)
        for d in data
    ]  # fmt: skip


class Memory(Figure):
    """RAM and flash of each scheme's image."""

    name, title, paper = "memory", "Memory of the device", "Fig 20"
    alt = "Bars: RAM and flash in KB per scheme, ours and the paper's"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Any run."""
        run = next((r for r in reversed(material.runs) if r.dataset == dataset and pick(r.data, "flash_kb")), None)
        if run is None:
            raise Missing(f"no run of {dataset} that names its firmware's sizes")
        published = beside("fig20", dataset)
        data = [d for d in [*run.data, *published] if d.metric in ("ram_kb", "flash_kb")]
        names = {"ram_kb": "RAM", "flash_kb": "flash"}
        note = (
            "Ours from the linker's sections: RAM is static data with the arena of the network, the stack not counted "
            f"(pytest -m memory measures that). Board: 320 KB and 1024 KB.{_said(published, dataset)}"
        )
        with draw.page(out, note=note, height=1.1) as axes:
            bars.grouped(axes, data, ["RAM", "flash"], lambda d: names[d.metric])
            axes.set_ylabel("KB")
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
            draw.legend(axes)


class Front(Figure):
    """Accuracy against latency at three rates."""

    name, title, paper = "accuracy_vs_latency", "Accuracy against latency, Pareto front", ""
    alt = "Three panels, one a link rate: accuracy against end-to-end latency, the Pareto front as a step line"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """A bandwidth run with accuracies."""
        run = material.run("bandwidth", dataset)
        panels = [(rate, choices_at(material, dataset, rate)) for rate in FRONT_RATES]
        panels = [(rate, found) for rate, found in panels if found]
        if run is None or not panels:
            raise Missing(f"no bandwidth run of {dataset} with accuracies at 270 kbit/s, 2 or 6 Mbit/s")
        with draw.page(
            out, note=run.note, width=2, height=1.05, ncols=len(panels), sharey=True, squeeze=False
        ) as all_axes:
            for axes, (rate, found) in zip(all_axes[0], panels, strict=True):
                front.draw_front(axes, found)
                axes.set_title(cli.rate_text(rate))
                if axes is not all_axes[0][0]:
                    axes.set_ylabel("")
            draw.legend(all_axes[0][0], columns=4)


def choices_at(material: Material, dataset: str, rate_bps: float) -> list[front.Choice]:
    """Every scheme of the bandwidth run with an accuracy, at one rate."""
    run = material.run("bandwidth", dataset)
    if run is None:
        return []
    accuracy = {d.scheme: d.value for d in pick(run.data, "accuracy")}
    return [
        front.Choice(d.scheme, d.title, d.value, accuracy[d.scheme], d.source)
        for d in at(pick(run.data, "total_ms"), rate_bps)
        if d.scheme in accuracy
    ]


class Trained(Figure):
    """A column or two of rows that were trained, against their axis."""

    def __init__(
        self, axis: str, paper: str, key: str, title: str, label: str, second: tuple[str, str] | None,
        x_column: str = "value",
    ) -> None:  # fmt: skip
        self.name, self.title, self.paper = f"agilenn_{axis}", title, paper
        self.alt = f"Lines: AgileNN's accuracy against {label}" + (f", with {second[1]}" if second else "")
        self._axis, self._key, self._label, self._second = axis, key, label, second
        self._x = x_column

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Rows of the axis with a numeric value."""
        rows = [r for r in material.rows(self._axis, dataset) if r.number(self._x) is not None]
        if not rows:
            raise Missing(f"no rows of the {self._axis} sweep of {dataset}")
        published = pick_scheme(beside(self._key, dataset, self._axis), "agilenn") if self._key else []
        with draw.page(out, note=training_note(rows) + _said(published, dataset)) as axes:
            ours = as_data(rows, "accuracy", metric="accuracy", factor=100.0, title="accuracy", x_column=self._x)
            lines.lines(axes, ours)
            lines.lines(axes, pick(published, "accuracy"), label="accuracy")
            axes.set_xlabel(self._label)
            axes.set_ylabel("accuracy (%)")
            handles, labels = axes.get_legend_handles_labels()
            if self._second:
                column, name = self._second
                factor = 1.0 if column == "alpha" else 100.0
                other = lines.second_scale(axes, name)
                ours2 = as_data(rows, column, metric=column, factor=factor, title=name, x_column=self._x)
                for d in (ours2, pick(published, column)):
                    lines.lines(other, d, label=name, colour="#777777", index=4)
                more, names = other.get_legend_handles_labels()
                handles, labels = handles + more, labels + names
            for handle, label in zip(handles, labels, strict=True):
                handle.set_label(label)
            draw.legend(axes, handles=handles)


def training_note(rows: Sequence[TrainedRow]) -> str:
    """The budget of trained rows, in words."""
    columns = [r.columns for r in rows]
    epochs = sorted({c.get("epochs", "") for c in columns} - {""})
    samples = sorted({c.get("samples", "") for c in columns} - {""})
    n = sorted({c.get("n_test", "") for c in columns} - {""})
    parts = []
    if epochs and samples:
        parts.append(
            f"Each point: {' or '.join(epochs)} epochs of {' or '.join(samples)} pictures from one warm start."
        )
    if n:
        parts.append(f"Accuracy on {' or '.join(n)} test pictures.")
    return " ".join(parts)


class Kinds(Figure):
    """Accuracy (and skewness or violations) for each named way of doing something."""

    def __init__(self, axis: str, paper: str, key: str, title: str, columns: tuple[tuple[str, str], ...]) -> None:
        self.name, self.title, self.paper = f"agilenn_{axis}", title, paper
        self.alt = "Bars: " + ", ".join(name for _, name in columns) + " for each way, ours and the paper's"
        self._axis, self._key, self._columns = axis, key, columns

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Rows of the axis, each value a word."""
        rows = material.rows(self._axis, dataset)
        if not rows:
            raise Missing(f"no rows of the {self._axis} sweep of {dataset}")
        names = dict(self._columns)
        values = list(dict.fromkeys(r.value for r in rows))
        published, paper_of = AXES[self._axis].published(dataset, values)
        data = []
        for column, _ in self._columns:
            for value in values:
                numbers = [100 * n for r in rows if r.value == value and (n := r.number(column)) is not None]
                if numbers:
                    mean = sum(numbers) / len(numbers)
                    data.append(Datum(dataset, value, value, column, "%", self._axis, 0.0, mean, "measured"))
            data += [
                Datum(paper_of, value, value, column, "%", self._axis, 0.0, number, PUBLISHED)
                for (value, metric), number in published.items()
                if metric == column
            ]
        if not data:
            raise Missing(f"the rows of the {self._axis} sweep of {dataset} lack their columns")
        other = f" Paper: {paper_of}." if paper_of not in ("", dataset) else ""
        with draw.page(out, note=training_note(rows) + other, height=1.1) as axes:
            places = [name for column, name in self._columns if any(d.metric == column for d in data)]
            bars.grouped(axes, data, places, lambda d: names[d.metric], digits=1)
            axes.set_ylabel("%")
            draw.legend(axes)


class SplitGrid(Figure):
    """Accuracy and skewness over the number of local channels and rho."""

    name, title, paper = "agilenn_k_rho", "Accuracy and skewness over k and rho", "Fig 21"
    alt = (
        "Two grids: accuracy and skewness in percent for each number of local channels and rho, the paper's in brackets"
    )

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Rows of the topk and rho sweeps."""
        rows = [r for axis in ("topk", "rho") for r in material.rows(axis, dataset)]
        rows = [r for r in rows if r.number("rho") is not None and r.number("k") is not None]
        if not rows:
            raise Missing(f"no rows of the topk and rho sweeps of {dataset}")
        published = beside("fig21", dataset)
        counts = sorted({r.number("k") or 0.0 for r in rows})
        rhos = sorted({r.number("rho") or 0.0 for r in rows}, reverse=True)
        note = f"{training_note(rows)} In brackets: paper.{_said(published, dataset)}"
        with draw.page(out, note=note, width=1.4, ncols=2) as both:
            for axes, column in zip(both, ("accuracy", "skewness"), strict=True):
                values = {
                    (r.number("rho") or 0.0, r.number("k") or 0.0): 100 * number
                    for r in rows
                    if (number := r.number(column)) is not None
                }
                paper = {(_rho(d), float(round(_CHANNELS * d.x / 100))): d.value for d in pick(published, column)}
                labels = [f"k = {c:g}" for c in counts]
                grid.grid(axes, values, (counts, labels), (rhos, [f"{r:g}" for r in rhos]), beside=paper)
                axes.set_title(f"{column} (%)")
                axes.set_xlabel(f"local channels of {_CHANNELS}")
                axes.set_ylabel("rho")


def _rho(published: Datum) -> float:
    """Fig 21's second coordinate stands in the title: `AgileNN, rho 80 %`."""
    return float(published.title.rpartition("rho ")[2].removesuffix("%").strip() or "nan") / 100


class Curves(Figure):
    """Accuracy and loss over the epochs of the committed trainings."""

    name, title, paper = "training_curves", "Training curves", "Fig 15"
    alt = "Lines: validation accuracy and training loss against the epoch for each scheme"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Histories of trained weights."""
        own = {scheme: rows for (d, scheme), rows in material.histories.items() if d == dataset and rows}
        if not own:
            raise Missing(f"no histories of trainings of {dataset}")
        titles = {name: registry.scheme(name).title for name in registry.scheme_names()}
        note = "Validation accuracy (5,000 held-out pictures) and training loss; schemes differ in losses and schedule."
        with draw.page(out, note=note, width=1.6, ncols=2) as both:
            for index, (scheme, rows) in enumerate(own.items()):
                look = style.line(scheme, index)
                for axes, column, factor in ((both[0], "val_accuracy", 100.0), (both[1], "loss", 1.0)):
                    points = [(r["epoch"], factor * r[column]) for r in rows if column in r]
                    axes.plot(
                        *zip(*points, strict=True),
                        color=look.colour,
                        marker=look.marker,
                        markersize=2.5,
                        label=titles.get(scheme, scheme),
                    )
            both[0].set_ylabel("validation accuracy (%)")
            both[1].set_ylabel("training loss")
            for axes in both:
                axes.set_xlabel("epoch")
            draw.legend(both[0], columns=4)


FIGURES: tuple[Figure, ...] = (
    Trained("temperature", "Fig 8", "fig08", "Accuracy and alpha against T", "temperature T", ("alpha", "alpha")),
    Kinds("ordering", "Fig 9", "fig09", "Ways to order the channels", (_ACCURACY, ("violations", "violations"))),
    Trained("lambda", "Fig 10", "fig10", "Accuracy and skewness against lambda", "lambda", _SKEWNESS),
    Curves(),
    Breakdown(),
    Trained("compression", "Fig 17", "fig17", "Accuracy against compression", _RATE, None, "compression"),
    Trained("alpha", "Fig 18", "fig18", "Accuracy against alpha", "alpha (weight of the local logits)", None),
    Energy(),
    Memory(),
    SplitGrid(),
    Latency("frequency", "Fig 22", "fig22"),
    Latency("bandwidth", "Fig 23", "fig23"),
    Kinds("xai", "Fig 24", "fig24", "Tools of explanation", (_ACCURACY, ("skewness", "skewness"))),
    Front(),
    Latency("delay"),
    Latency("loss"),
    Trained("rho", "", "", "Accuracy and skewness against rho", "rho", _SKEWNESS),
)
