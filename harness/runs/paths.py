"""Names the folders of the tree that hold results: published values, committed rows and runs. Asking creates
nothing.
"""

from __future__ import annotations

from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "results"
REFERENCE = RESULTS / "reference"
TRAINED_ROWS = REFERENCE / "training"  # rows of sweeps that train, one file an axis and data set
RUNS = RESULTS / "runs"  # the user's own, ignored by git
