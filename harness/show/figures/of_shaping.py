"""Draws the ablation of channels, shaping and centroids: accuracy against bytes, a line a way of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.analysis import shaping
from harness.analysis.material import FULL, Material
from harness.analysis.shaping import Trained
from harness.show import style
from harness.show.figures import draw
from harness.show.figures.figure import Figure, Missing
from harness.show.figures.of_trainings import training_note

_HEADS = {"bytes_lzw": "LZW (the paper's codec)", "bytes_context": "context codec"}


def page(rows: Iterable[Mapping[str, Any]], out: Path, *, note: str) -> list[Path]:
    """Draw rows of the sweep, a panel a codec; return the files. Points are means over seeds, bars their range."""
    own = list(rows)
    with draw.page(out, note=note, width=2.0, height=1.3, ncols=len(_HEADS), sharey=True) as panels:
        for axes, (column, head) in zip(panels, _HEADS.items(), strict=True):
            trained = shaping.read(own, column)
            for index, (curve, name) in enumerate(shaping.WORDS.items()):
                _line(axes, [t for t in trained if t.curve == curve], name, index)
            axes.set_title(head)
            axes.set_xlabel("payload (bytes, mean of the test set)")
        panels[0].set_ylabel("accuracy (%)")
        draw.legend(panels[0], columns=len(shaping.WORDS))
    return draw.files(out)


def _line(axes: Any, trained: Sequence[Trained], name: str, index: int) -> None:
    """Draw one curve through its points in order of centroids, and write their number beside each."""
    look = style.line("agilenn" if "AgileNN" in name else "", index)
    groups = {n: [t for t in trained if t.centroids == n] for n in sorted({t.centroids for t in trained})}
    if not groups:
        return
    x, x_bars = _with_range([[t.sent_bytes for t in own] for own in groups.values()])
    y, y_bars = _with_range([[100 * t.accuracy for t in own] for own in groups.values()])
    axes.errorbar(
        x, y, y_bars, x_bars, label=name, color=look.colour, marker=look.marker, capsize=2, elinewidth=0.8,
        linestyle="-" if "shaped" in name else "--", markerfacecolor=look.colour if "shaped" in name else "white",
    )  # fmt: skip
    for n, at in zip(groups, zip(x, y, strict=True), strict=True):
        axes.annotate(str(n), at, textcoords="offset points", xytext=(4, -8), fontsize=5.5, color=look.colour)


def _with_range(groups: Sequence[Sequence[float]]) -> tuple[list[float], list[list[float]]]:
    means = [fmean(own) for own in groups]
    low = [mean - min(own) for mean, own in zip(means, groups, strict=True)]
    return means, [low, [max(own) - mean for mean, own in zip(means, groups, strict=True)]]


class Shaping(Figure):
    """Draws accuracy against bytes for random and chosen channels, shaped or not, each with 2 to 8 centroids."""

    name, title, paper = "agilenn_shaping", "Is shaping by importance worth its bytes?", ""
    alt = (
        "Lines: accuracy against bytes by LZW and by the context codec, for random and for chosen channels, with "
        "shaping by importance and without; points are numbers of centroids, bars the range over seeds"
    )

    def draw(self, material: Material, dataset: str, out: Path) -> None:
        """Draw from rows that were trained in full; from short trainings where there are none."""
        rows = material.rows(f"{FULL}/{shaping.AXIS}", dataset) or material.rows(shaping.AXIS, dataset)
        if not rows:
            raise Missing(f"no rows of the {shaping.AXIS} sweep of {dataset}")
        note = f"{training_note(rows)} Numbers beside points: centroids of the codebook."
        page([r.columns for r in rows], out, note=note)
