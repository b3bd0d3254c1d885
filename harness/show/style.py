"""Defines the one style of all figures: readable in one column, in grey and by colour-blind readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Okabe and Ito, "Color Universal Design", 2008; ordered so that neighbours differ in lightness too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_FIXED = {
    "agilenn": 0,
    "local_only": 1,
    "full_offload": 2,
    "deepcod": 3,
    "partition": 4,
    "hierarchical": 5,
    "full_offload_jpeg": 6,
    "spinn": 4,  # the paper's counterparts look as ours do
    "edge_only": 2,
    "mcunet": 1,
}

_OF_ITS_OWN = {"agilenn_r": ("#882255", "*")}  # beside AgileNN in most figures, so no shade of its blue

COLUMN_INCHES = (3.5, 2.7)  # one column of the paper

RC: Any = {  # matplotlib's stubs list every key they know
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.titlesize": 8,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "hatch.linewidth": 0.5,
    "figure.dpi": 100,
    "savefig.dpi": 220,
    "svg.hashsalt": "agilenn",
    "svg.fonttype": "none",  # text stays text: searchable, and read aloud
    "pdf.fonttype": 42,
}

# Nothing that differs between two runs over the same input.
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}


@dataclass(frozen=True)
class Line:
    """Says how a scheme is drawn, in every figure alike."""

    colour: str
    marker: str


def line(scheme: str, index: int) -> Line:
    """Return colour and marker of a scheme; `index` decides for schemes that are not ours."""
    if scheme in _OF_ITS_OWN:
        return Line(*_OF_ITS_OWN[scheme])
    if scheme in _FIXED:
        return Line(_COLOURS[_FIXED[scheme]], _MARKERS[_FIXED[scheme]])
    at, again = (index + 3) % len(_COLOURS), index // len(_COLOURS)  # colours that come again have another marker
    return Line(_COLOURS[at], _MARKERS[(at + again) % len(_MARKERS)])
