"""Names the folders that hold results: published values, committed rows and runs. Nothing is created by asking."""

from __future__ import annotations

from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2] / "results"
_INSTALLED = Path(__file__).resolve().parents[1] / "results"  # where a wheel has what the checkout has at its top

SHIPPED = _CHECKOUT if (_CHECKOUT / "published").is_dir() else _INSTALLED
PUBLISHED = SHIPPED / "published"  # the paper's numbers
REFERENCE = SHIPPED / "reference"
TRAINED_ROWS = REFERENCE / "training"  # rows of sweeps that train, one file an axis and data set
RUNS = Path("results") / "runs"  # the user's own, in the folder of the call
