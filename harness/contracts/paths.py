"""Says where caches and data live. Asking creates nothing."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return the folder for what can be made again (compiled firmware, accuracy by hash): $AGILENN_CACHE_DIR or the XDG
    cache.
    """
    if given := os.environ.get("AGILENN_CACHE_DIR"):
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "agilenn-bench"


def data_dir() -> Path:
    """Return the folder for data sets: $AGILENN_DATA_DIR or `data` in the cache folder."""
    if given := os.environ.get("AGILENN_DATA_DIR"):
        return Path(given).expanduser()
    return cache_dir() / "data"


def weights_dir() -> Path:
    """Return the folder of trained artefacts, `<dataset>-<profile>/<scheme>/`: $AGILENN_WEIGHTS_DIR or
    baselines/weights.
    """
    if given := os.environ.get("AGILENN_WEIGHTS_DIR"):
        return Path(given).expanduser()
    return Path(__file__).resolve().parents[2] / "baselines" / "weights"
