"""Begins, labels and saves every figure alike: one column wide, three formats, the same bytes for the same input."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.datum import PUBLISHED
from harness.show import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
_NOTE_WIDTH = 84


@dataclass(frozen=True)
class Look:
    """Says how a source is told from another without colour."""

    suffix: str  # in the legend
    filled: bool
    dash: str
    hatch: str | None


def look(source: str) -> Look:
    """Return the look of values from `source`: published open and dashed, modelled hatched, measured plain."""
    if source == PUBLISHED:
        return Look("paper", False, "--", None)
    if "modelled" in source:
        return Look("modelled", True, "-", "////")
    return Look("measured", True, "-", None)


@contextmanager
def page(out: Path, *, note: str = "", width: float = 1.0, height: float = 1.0, **grid: Any) -> Iterator[Any]:
    """Give axes to draw on; what was drawn is saved as `out`.png, .pdf and .svg on leaving.

    Args:
        out: path without suffix.
        note: small print under the figure.
        width, height: in columns and in the usual height.
        grid: as `plt.subplots`.
    """
    import matplotlib  # noqa: PLC0415 - half a second that --help need not wait for

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    with plt.rc_context(style.RC):
        size = (style.COLUMN_INCHES[0] * width, style.COLUMN_INCHES[1] * height)
        figure, axes = plt.subplots(figsize=size, layout="constrained", **grid)
        try:
            yield axes
            if note:
                text = textwrap.fill(note, int(_NOTE_WIDTH * width))
                figure.supxlabel(text, fontsize=5, color="#444444")
            save(figure, out)
        finally:
            plt.close(figure)


def save(figure: Figure, out: Path) -> list[Path]:
    """Write the figure in every format."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, kind in zip(files(out), FORMATS, strict=True):
        figure.savefig(path, metadata=style.METADATA[kind])
    return files(out)


def files(out: Path) -> list[Path]:
    """Return the files that a page `out` (a path without suffix) is saved as."""
    return [out.with_name(f"{out.name}.{kind}") for kind in FORMATS]


def legend(axes: Any, *, columns: int = 2, handles: list[Any] | None = None) -> None:
    """Draw a legend over the axes, ours before the paper's, in at most `columns` columns."""
    if handles is None:
        handles, labels = axes.get_legend_handles_labels()
    else:
        labels = [str(h.get_label()) for h in handles]
    by = sorted(range(len(labels)), key=lambda i: (labels[i].endswith("(paper)"), i))
    figure = axes.figure
    for tried in range(columns, 0, -1):  # as many columns as fit beside each other
        made = figure.legend(
            [handles[i] for i in by],
            [labels[i] for i in by],
            loc="outside upper center",
            ncols=tried,
            frameon=False,
            handlelength=2.4,
            columnspacing=1.0,
        )
        if tried == 1 or made.get_window_extent(figure.canvas.get_renderer()).width <= figure.bbox.width:
            return
        made.remove()
