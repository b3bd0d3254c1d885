"""A data set of the user's own, described by a TOML file in the data folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines.data import dataset_names, load_dataset
from harness.contracts.errors import BenchError


def arrays_of(classes: int = 3, names: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {"names": np.array([f"c{i}" for i in range(names)])}
    for split, n in (("train", max(30, classes)), ("test", 9)):
        found[f"x_{split}"] = rng.integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)
        found[f"y_{split}"] = (np.arange(n) % classes).astype(np.int64)
    return found


def pictures(folder: Path, classes: int = 3, names: int = 3) -> None:
    np.savez(folder / "flowers.npz", **arrays_of(classes, names))


def given(folder: Path, **changed: Any) -> Path:
    """A described data set whose arrays are as `changed` says (None: left out)."""
    found = {key: value for key, value in (arrays_of() | changed).items() if value is not None}
    np.savez(folder / "flowers.npz", **found)
    (folder / "flowers.toml").write_text('file = "flowers.npz"\n')
    return folder


def test_it_is_known_by_its_file_name(tmp_path: Path) -> None:
    pictures(tmp_path)
    (tmp_path / "flowers.toml").write_text('file = "flowers.npz"\n')
    assert "flowers" in dataset_names(tmp_path)
    data = load_dataset("flowers", tmp_path)
    assert (data.name, data.classes, data.x_train.shape) == ("flowers", 3, (30, 16, 16, 3))
    again = load_dataset("flowers", tmp_path)  # from the canonical copy
    assert again.checksum == data.checksum
    assert data.flips
    (tmp_path / "flowers.toml").write_text('file = "flowers.npz"\nflips = false\n')
    assert not load_dataset("flowers", tmp_path).flips
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


def test_a_built_in_name_is_not_for_own_pictures(tmp_path: Path) -> None:
    (tmp_path / "cifar10.toml").write_text('file = "flowers.npz"\n')
    assert dataset_names(tmp_path).count("cifar10") == 1
    with pytest.raises(BenchError, match="by the name of one that the bench has: give file and data set another name"):
        load_dataset("cifar10", tmp_path)


def test_three_hundred_classes_keep_their_numbers(tmp_path: Path) -> None:
    labels = np.arange(300).astype(np.uint16)
    rng = np.random.default_rng(0)
    given(
        tmp_path,
        x_train=rng.integers(0, 256, (300, 16, 16, 3), dtype=np.uint8),
        y_train=labels,
        x_test=rng.integers(0, 256, (300, 16, 16, 3), dtype=np.uint8),
        y_test=labels[::-1].copy(),
        names=np.array([f"c{i}" for i in range(300)]),
    )
    for _ in range(2):  # read, then from the canonical copy
        data = load_dataset("flowers", tmp_path)
        assert sorted(data.y_train.tolist()) == sorted(data.y_test.tolist()) == list(range(300))
        assert data.y_train.dtype == np.uint16


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_labels_of_any_integer_type_are_the_same_data(tmp_path: Path, dtype: Any) -> None:
    pictures(tmp_path)
    expected = load_dataset("flowers", given(tmp_path)).checksum
    other = tmp_path / "other"
    other.mkdir()
    labels = {key: arrays_of()[key].astype(dtype).reshape(-1, 1) for key in ("y_train", "y_test")}
    assert load_dataset("flowers", given(other, **labels)).checksum == expected


X = np.linspace(0, 1, 9 * 16 * 16 * 3, dtype=np.float32).reshape(9, 16, 16, 3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"x_test": X}, "x_test is float32 from 0 to 1, not uint8: save (x_test * 255).round().astype('uint8')"),
        ({"x_test": 2 * X - 1}, "x_test is float32 from -1 to 1, not uint8: save ((x_test + 1) * 127.5)"),
        ({"x_test": 255 * X}, "x_test is float32 from 0 to 255, not uint8: save x_test.round().astype('uint8')"),
        (
            {"x_test": (255 * X).astype(np.int64)},
            "x_test is int64 from 0 to 255, not uint8: save x_test.astype('uint8')",
        ),
        ({"x_test": (X * 3000).astype(np.uint16)}, "x_test is uint16 from 0 to 3000, not uint8: scale black to 0"),
        ({"x_test": X * np.nan}, "not uint8: scale black to 0 and white to 255"),
        ({"x_test": X[..., 0]}, "grey pictures; the networks take RGB: save x_test = numpy.repeat("),
        ({"x_test": X[..., :1]}, "grey pictures"),
        ({"x_test": X.transpose(0, 3, 1, 2)}, "with the colours first: save x_test.transpose(0, 2, 3, 1)"),
        ({"x_test": np.zeros((9, 16, 16, 4), np.uint8)}, "RGBA: save x_test[..., :3]"),
        ({"x_test": np.zeros((9, 8, 8, 3), np.uint8)}, "pictures of x_train are 16x16, those of x_test 8x8"),
        ({"x_test": np.zeros((8, 16, 16, 3), np.uint8)}, "x_test has 8 pictures, y_test 9 labels"),
        ({"x_test": np.zeros((0, 16, 16, 3), np.uint8)}, "save pictures as uint8 [n, height, width, 3]"),
        ({"y_test": np.arange(9) % 3 - 1}, "y_test has the label -1: count classes from 0"),
        ({"y_test": np.arange(9) % 4}, "y_test has label 3 and 3 class names"),
        ({"y_test": np.arange(9, dtype=np.float64) % 3}, "y_test is float64 from 0 to 2 [9], not class numbers"),
        ({"y_test": np.eye(3, dtype=np.uint8)[np.arange(9) % 3]}, "one-hot labels: save y_test.argmax(axis=1)"),
        ({"names": None}, "lacks names: add names by numpy.savez; it has x_train, y_train, x_test, y_test; names is"),
        ({"x_train": None, "y_train": None}, "lacks x_train, y_train"),
        ({"names": np.array(["c0"])}, "has 1 class names: give one for each class"),
        ({"names": np.array([f"c{i}" for i in range(1001)])}, "has 1001 class names"),
        ({"y_test": np.array([[1], [1, 2]], dtype=object)}, "an array of Python objects"),
    ],
)
def test_arrays_of_another_kind_are_refused_with_what_mends_them(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(BenchError, match=re.escape(said)) as e:
        load_dataset("flowers", given(tmp_path, **changed))
    assert "delete" not in str(e.value)
    assert not list(tmp_path.glob("*.canonical.npz"))


def test_a_wrong_checksum_says_which_would_be_right(tmp_path: Path) -> None:
    right = load_dataset("flowers", given(tmp_path)).checksum
    (tmp_path / "flowers.toml").write_text(f'file = "flowers.npz"\nchecksum = "{"0" * 64}"\n')
    with pytest.raises(BenchError, match=f'set checksum = "{right}" in flowers.toml') as e:
        load_dataset("flowers", tmp_path)
    assert "delete" not in str(e.value)


def test_pictures_that_were_changed_are_read_anew(tmp_path: Path) -> None:
    first = load_dataset("flowers", given(tmp_path))
    second = load_dataset("flowers", given(tmp_path, y_test=(np.arange(9) + 1) % 3))
    assert first.checksum != second.checksum
    assert first.y_test.sum() == second.y_test.sum() == 9
