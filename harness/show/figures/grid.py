"""Draws a grid of numbers (Fig 21: share kept local against rho)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Places = tuple[Sequence[float], Sequence[str]]  # values along a side, and what they are called


def grid(
    axes: Any,
    values: Mapping[tuple[float, float], float],
    columns: Places,
    rows: Places,
    *,
    beside: Mapping[tuple[float, float], float],
    digits: int = 1,
) -> None:
    """Draw `values[(row, column)]` as shaded cells with their number, `beside` in brackets below."""
    import numpy as np  # noqa: PLC0415

    table = np.array([[values.get((r, c), np.nan) for c in columns[0]] for r in rows[0]])
    axes.imshow(table, cmap="cividis", aspect="auto", alpha=0.75)
    middle = float(np.nanmean(table)) if np.isfinite(table).any() else 0.0
    for i, r in enumerate(rows[0]):
        for j, c in enumerate(columns[0]):
            number, paper = table[i, j], beside.get((r, c))
            text = "–" if np.isnan(number) else f"{number:.{digits}f}"
            if paper is not None:
                text += f"\n[{paper:.{digits}f}]"
            dark = number < middle  # never of a missing one
            axes.text(j, i, text, ha="center", va="center", fontsize=6.5, color="white" if dark else "black")
    axes.set_xticks(range(len(columns[1])), labels=columns[1])
    axes.set_yticks(range(len(rows[1])), labels=rows[1])
    axes.grid(visible=False)
