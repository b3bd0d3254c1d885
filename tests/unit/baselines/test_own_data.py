"""A data set of the user's own, described by a TOML file in the data folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from baselines.data import dataset_names, load_dataset
from harness.contracts.errors import BenchError


def pictures(folder: Path, classes: int = 3, names: int = 3) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", 30), ("test", 9)):
        arrays[f"x_{split}"] = rng.integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)
        arrays[f"y_{split}"] = (np.arange(n) % classes).astype(np.uint8)
    np.savez(folder / "flowers.npz", names=np.array([f"c{i}" for i in range(names)]), **arrays)


def test_it_is_known_by_its_file_name(tmp_path: Path) -> None:
    pictures(tmp_path)
    (tmp_path / "flowers.toml").write_text('file = "flowers.npz"\n')
    assert "flowers" in dataset_names(tmp_path)
    data = load_dataset("flowers", tmp_path)
    assert (data.name, data.classes, data.x_train.shape) == ("flowers", 3, (30, 16, 16, 3))
    again = load_dataset("flowers", tmp_path)  # from the canonical copy
    assert again.checksum == data.checksum
    (tmp_path / "flowers.toml").write_text(f'file = "flowers.npz"\nchecksum = "{data.checksum}"\n')
    assert load_dataset("flowers", tmp_path).checksum == data.checksum


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file = 'none.npz'", "none.npz is not in"),
        ("file = '../flowers.npz'", "flowers.toml"),
        ("pictures = 'flowers.npz'", "flowers.toml"),
        ("file = 'flowers.npz'\nchecksum = 'abc'", "checksum"),
        (f"file = 'flowers.npz'\nchecksum = '{'0' * 64}'", "other pictures"),
        ("file = ", "TOML"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    pictures(tmp_path)
    (tmp_path / "flowers.toml").write_text(text)
    with pytest.raises(BenchError, match=said):
        load_dataset("flowers", tmp_path)


def test_every_label_needs_a_name(tmp_path: Path) -> None:
    pictures(tmp_path, names=2)
    (tmp_path / "flowers.toml").write_text('file = "flowers.npz"\n')
    with pytest.raises(BenchError, match="label 2 and 2 class names"):
        load_dataset("flowers", tmp_path)


def test_a_built_in_name_stays_the_built_in_set(tmp_path: Path) -> None:
    (tmp_path / "cifar10.toml").write_text('file = "flowers.npz"\n')
    assert dataset_names(tmp_path).count("cifar10") == 1
