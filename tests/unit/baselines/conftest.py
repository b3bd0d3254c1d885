"""A tiny synthetic data set and recipes small enough for seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from baselines.data import DataSet


def synthetic(n_train: int = 160, n_test: int = 40) -> DataSet:
    """Pictures whose class is their brightest corner: learnable, 4 classes, spanning 0..255."""
    rng = np.random.default_rng(7)

    def pictures(n: int) -> tuple[np.ndarray, np.ndarray]:
        y = (np.arange(n) % 4).astype(np.uint8)
        x = rng.integers(0, 120, (n, 32, 32, 3), dtype=np.uint8)
        for i, label in enumerate(y):
            row, column = 16 * (label // 2), 16 * (label % 2)
            x[i, row : row + 16, column : column + 16] += 120
        x[:, 0, 0], x[:, 0, 1] = 0, 255
        return x, y

    return DataSet("cifar10", *pictures(n_train), *pictures(n_test), ("a", "b", "c", "d"), "synthetic")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataSet]:
    """The synthetic set instead of every data set, and caches in a folder of this test."""
    data = synthetic()
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("baselines.data.registry.load_dataset", lambda *_: data)
    monkeypatch.setattr("baselines.training.pictures.load_dataset", lambda *_: data)
    yield data
