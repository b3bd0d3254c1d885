"""Draws figures of trainings: rows of the sweeps that train, and the curves of the weights that are in the tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.analysis.datum import PUBLISHED, Datum, beside, pick
from harness.analysis.material import Material
from harness.analysis.stats import share_interval
from harness.analysis.trainings import TrainedRow, as_data
from harness.host import registry
from harness.runs.trained_rows import AT_RUN_TIME
from harness.show import style
from harness.show.figures import bars, draw, grid, lines
from harness.show.figures.figure import Figure, Missing, pick_scheme
from harness.training.sweep.axes import AXES

_CHANNELS = 24


class Trained(Figure):
    """Draws a column or two of rows that were trained, against their axis."""

    def __init__(
        self, axis: str, paper: str, key: str, title: str, label: str, second: tuple[str, str] | None,
        x_column: str = "value",
    ) -> None:  # fmt: skip
        self.name, self.title, self.paper = f"agilenn_{axis}", title, paper
        self.alt = f"Lines: AgileNN's accuracy against {label}" + (f", with {second[1]}" if second else "")
        self._axis, self._key, self._label, self._second = axis, key, label, second
        self._x = x_column

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Draw from rows of the axis with a numeric value."""
        rows = [r for r in material.rows(self._axis, dataset) if r.number(self._x) is not None]
        if not rows:
            raise Missing(f"no rows of the {self._axis} sweep of {dataset}")
        published = pick_scheme(beside(self._key, dataset), "agilenn") if self._key else []
        with draw.page(out, note=training_note(rows)) as axes:
            for title, own in _by_training(rows).items():
                ours = as_data(own, "accuracy", metric="accuracy", factor=100.0, title=title, x_column=self._x)
                lines.lines(axes, [replace(d, scheme=title) for d in ours] if AT_RUN_TIME in title else ours)
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


_WORDS = {  # of rows -> of readers
    "agilenn": "AgileNN as it is",
    "control": "no split",
    "all_sent": "all channels sent",
    "random": "random channels",
    "saliency": "gradient saliency",
    "ig2": "IG, two points",
    "ig": "IG, many points",
    "original": "no disorder loss",
    "descending": "strictly descending",
    "relaxed": "relaxed, by channel",
    "element": "relaxed, by element",
}


def word(value: str) -> str:
    """Return what readers call a value of an axis that the rows have a key for."""
    return _WORDS.get(value, value.replace("_", " "))


def _by_training(rows: Sequence[TrainedRow]) -> dict[str, list[TrainedRow]]:
    """Return rows by how they came about, under a name: trained so, or laid over trained weights."""
    laid_over = [r for r in rows if r.value.endswith(AT_RUN_TIME)]
    trained = [r for r in rows if not r.value.endswith(AT_RUN_TIME)]
    both = {f"accuracy,{AT_RUN_TIME}": laid_over, "accuracy, trained so" if laid_over else "accuracy": trained}
    return {title: own for title, own in both.items() if own}


def training_note(rows: Sequence[TrainedRow]) -> str:
    """Return the budget of trained rows, in words."""
    columns = [r.columns for r in rows]
    trained = [r.columns for r in rows if not r.value.endswith(AT_RUN_TIME)]
    epochs = sorted({c.get("epochs", "") for c in trained} - {""})
    samples = sorted({c.get("samples", "") for c in trained} - {""})
    n = sorted({c.get("n_test", "") for c in columns} - {""})
    parts = []
    if epochs and samples:
        parts.append(
            f"Each point: {' or '.join(epochs)} epochs of {' or '.join(samples)} pictures from one warm start."
        )
    if len(trained) < len(rows):
        parts.append("At run time: the committed weights, their codebook made coarser.")
    if n:
        parts.append(f"Accuracy on {' or '.join(n)} test pictures.")
    seeds = sorted({c.get("seed", "") for c in trained} - {""})
    if seeds:
        bars_ = "range over the seeds" if len(seeds) > 1 else "95 % interval of an accuracy's sampling error"
        parts.append(f"Seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}; bars: {bars_}.")
    return " ".join(parts)


class Kinds(Figure):
    """Draws accuracy (and skewness or violations) for each named way of doing something."""

    def __init__(self, axis: str, paper: str, key: str, title: str, columns: tuple[tuple[str, str], ...]) -> None:
        self.name, self.title, self.paper = f"agilenn_{axis}", title, paper
        self.alt = "Bars: " + ", ".join(name for _, name in columns) + " for each way, ours and the paper's"
        self._axis, self._key, self._columns = axis, key, columns

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Draw from rows of the axis, each value a word."""
        rows = material.rows(self._axis, dataset)
        if not rows:
            raise Missing(f"no rows of the {self._axis} sweep of {dataset}")
        names = dict(self._columns)
        values = list(dict.fromkeys(r.value for r in rows))
        published, _ = AXES[self._axis].published(dataset, values)
        data = []
        for column, _ in self._columns:
            for value in values:
                own = [(r, n) for r in rows if r.value == value and (n := r.number(column)) is not None]
                if own:
                    data.append(_mean(own, dataset, value, column, self._axis))
            data += [
                Datum(dataset, value, word(value), column, "%", self._axis, 0.0, number, PUBLISHED)
                for (value, metric), number in published.items()
                if metric == column
            ]
        if not data:
            raise Missing(f"the rows of the {self._axis} sweep of {dataset} lack their columns")
        with draw.page(out, note=training_note(rows), height=1.1) as axes:
            places = [name for column, name in self._columns if any(d.metric == column for d in data)]
            bars.grouped(axes, data, places, lambda d: names[d.metric], digits=1)
            axes.set_ylabel("%")
            draw.legend(axes)


def _mean(own: Sequence[tuple[TrainedRow, float]], dataset: str, value: str, column: str, axis: str) -> Datum:
    """Return the mean over seeds in percent, with their range; of one seed with the sampling error of an accuracy."""
    numbers = [100 * number for _, number in own]
    mean = sum(numbers) / len(numbers)
    low, high = (min(numbers), max(numbers)) if len(numbers) > 1 else (None, None)
    n_test = own[0][0].number("n_test")
    if low is None and column == "accuracy" and n_test:
        told = share_interval(round(own[0][1] * n_test), round(n_test))
        low, high = (100 * told[0], 100 * told[1]) if told else (None, None)
    return Datum(
        dataset, value, word(value), column, "%", axis, 0.0, mean, "measured", low, high, len(numbers)
    )  # fmt: skip


class SplitGrid(Figure):
    """Draws accuracy and skewness over the number of local channels and rho."""

    name, title, paper = "agilenn_k_rho", "Accuracy and skewness over k and rho", "Fig 21"
    alt = (
        "Two grids: accuracy and skewness in percent for each number of local channels and rho, the paper's in brackets"
    )

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Draw from rows of the topk and rho sweeps."""
        rows = [r for axis in ("topk", "rho") for r in material.rows(axis, dataset)]
        rows = [r for r in rows if r.number("rho") is not None and r.number("k") is not None]
        if not rows:
            raise Missing(f"no rows of the topk and rho sweeps of {dataset}")
        published = beside("fig21", dataset)
        counts = sorted({r.number("k") or 0.0 for r in rows})
        rhos = sorted({r.number("rho") or 0.0 for r in rows}, reverse=True)
        note = training_note(rows) + (" In brackets: paper." if published else "")
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
    """Read Fig 21's second coordinate, which stands in the title: `AgileNN, rho 80 %`."""
    return float(published.title.rpartition("rho ")[2].removesuffix("%").strip() or "nan") / 100


class Curves(Figure):
    """Draws accuracy and loss over the epochs of the committed trainings."""

    name, title, paper = "training_curves", "Training curves", "Fig 15"
    alt = "Lines: validation accuracy and training loss against the epoch for each scheme"

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Draw from histories of trained weights."""
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
