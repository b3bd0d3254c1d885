"""A grid of numbers (Fig 21: share kept local against rho)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def grid(
    axes: Any, values: Mapping[tuple[float, float], float], columns: Sequence[float], rows: Sequence[float], *,
    beside: Mapping[tuple[float, float], float] | None = None, digits: int = 1,
) -> None:  # fmt: skip
    """Draw `values[(row, column)]` as shaded cells with their number, `beside` in brackets below."""
    import numpy as np  # noqa: PLC0415

    table = np.full((len(rows), len(columns)), np.nan)
    for (r, c), value in values.items():
        if r in rows and c in columns:
            table[rows.index(r), columns.index(c)] = value
    axes.imshow(table, cmap="cividis", aspect="auto", alpha=0.75)
    middle = float(np.nanmean(table)) if np.isfinite(table).any() else 0.0
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            paper = (beside or {}).get((r, c))
            text = "–" if np.isnan(table[i, j]) else f"{table[i, j]:.{digits}f}"
            if paper is not None:
                text += f"\n[{paper:.{digits}f}]"
            dark = not np.isnan(table[i, j]) and table[i, j] < middle
            axes.text(j, i, text, ha="center", va="center", fontsize=6.5, color="white" if dark else "black")
    axes.set_xticks(range(len(columns)), labels=[f"{100 * c:g} %" for c in columns])
    axes.set_yticks(range(len(rows)), labels=[f"{100 * r:g} %" for r in rows])
    axes.grid(visible=False)
