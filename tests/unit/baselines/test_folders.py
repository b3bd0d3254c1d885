"""SVHN and Tiny ImageNet from small files of the real formats; what is wrong with them is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from baselines.data import folders, load_dataset, registry
from harness.contracts.errors import BenchError

RNG = np.random.default_rng(5)


def mat(path: Path, n: int, **changes: Any) -> tuple[np.ndarray, np.ndarray]:
    """One file of SVHN's format 2: X [32, 32, 3, n] uint8, y [n, 1] from 1 to 10."""
    x = RNG.integers(0, 256, (32, 32, 3, n), dtype=np.uint8)
    y = (np.arange(n) % 10 + 1).astype(np.uint8).reshape(-1, 1)
    savemat(path, {"X": x, "y": y} | changes)
    return x, y


def entry(name: str, source: registry.Source) -> registry.Entry:
    return registry.Entry(name, (source,), "", "files")


def test_svhn_files_give_digits_with_ten_as_nought(tmp_path: Path) -> None:
    x, y = mat(tmp_path / "train_32x32.mat", 30)
    mat(tmp_path / "test_32x32.mat", 12)
    found = folders.read_svhn(tmp_path / "train_32x32.mat")
    assert found.x_train.shape == (30, 32, 32, 3)
    assert np.array_equal(found.x_train[7], x[..., 7])
    assert found.y_train.tolist() == (y.reshape(-1) % 10).tolist()
    assert found.y_train[9] == 0
    assert len(found.x_test) == 12
    data = registry._load(entry("svhn", registry.Source("train_32x32.mat", folders.read_svhn)), tmp_path)
    assert (data.classes, len(data.checksum)) == (10, 64)


@pytest.mark.parametrize(
    "changes",
    [
        {"y": np.full((5, 1), 11, np.uint8)},
        {"y": np.ones((4, 1), np.uint8)},
        {"X": np.zeros((32, 32, 5), np.uint8)},
        {"X": np.zeros((32, 32, 3, 5))},
    ],
)
def test_wrong_svhn_files_are_one_line(tmp_path: Path, changes: dict[str, Any]) -> None:
    mat(tmp_path / "train_32x32.mat", 5, **changes)
    mat(tmp_path / "test_32x32.mat", 5)
    with pytest.raises(BenchError, match=r"train_32x32\.mat") as error:
        folders.read_svhn(tmp_path / "train_32x32.mat")
    assert "\n" not in str(error.value)


def test_svhn_without_its_test_file_is_one_line(tmp_path: Path) -> None:
    mat(tmp_path / "train_32x32.mat", 5)
    with pytest.raises(BenchError, match=r"test_32x32\.mat is missing"):
        folders.read_svhn(tmp_path / "train_32x32.mat")


@settings(max_examples=150)
@given(st.data())
def test_damaged_mat_files_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("mat")
    path = folder / "train_32x32.mat"
    mat(path, 2)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content), 400) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        folders._read_mat(path)
    except BenchError as e:
        assert "\n" not in str(e)


def tiny_imagenet(folder: Path, per_class: int = 3) -> Path:
    """The unpacked folder with two classes, one picture of them grey."""
    root = folder / "tiny-imagenet-200"
    ids = ["n02124075", "n01443537"]
    (root / "val" / "images").mkdir(parents=True)
    (root / "wnids.txt").write_text("\n".join(ids) + "\n")
    (root / "words.txt").write_text("n01443537\tgoldfish, Carassius auratus\nn02124075\tEgyptian cat\nn0\tnothing\n")
    lines = []
    for wnid in ids:
        (root / "train" / wnid / "images").mkdir(parents=True)
        for i in range(per_class):
            pixels = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            picture = Image.fromarray(pixels).convert("L") if i == 1 else Image.fromarray(pixels)
            picture.save(root / "train" / wnid / "images" / f"{wnid}_{i}.JPEG")
        name = f"val_{len(lines)}.JPEG"
        Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(root / "val" / "images" / name)
        lines.append(f"{name}\t{wnid}\t0\t0\t62\t62")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")
    return root / "wnids.txt"


def test_tiny_imagenet_folder_with_validation_as_test(tmp_path: Path) -> None:
    found = folders.read_tiny_imagenet(tiny_imagenet(tmp_path))
    assert found.x_train.shape == (6, 64, 64, 3)
    assert found.y_train.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.y_test.tolist() == [1, 0]  # as the annotations list them
    assert found.names == ("goldfish", "Egyptian cat")
    grey = found.x_train[1]
    assert np.array_equal(grey[..., 0], grey[..., 2])


def test_broken_tiny_imagenet_folders_are_one_line(tmp_path: Path) -> None:
    wnids = tiny_imagenet(tmp_path)
    annotations = wnids.parent / "val" / "val_annotations.txt"
    good = annotations.read_text()
    for text in ("val_0.JPEG\tn999\t0\t0\t1\t1\n", "../../secret.JPEG\tn01443537\t0\t0\t1\t1\n"):
        annotations.write_text(text)
        with pytest.raises(BenchError, match="names no class or picture"):
            folders.read_tiny_imagenet(wnids)
    annotations.write_text(good)
    picture = next((wnids.parent / "train").rglob("*.JPEG"))
    picture.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(BenchError, match="no picture"):
        folders.read_tiny_imagenet(wnids)
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(picture)
    with pytest.raises(BenchError, match="32x32, not 64x64"):
        folders.read_tiny_imagenet(wnids)


def test_sets_that_must_be_brought_say_which_files(tmp_path: Path) -> None:
    for name, file in (("svhn", "train_32x32.mat"), ("imagenet200", "tiny-imagenet-200")):
        with pytest.raises(BenchError) as error:
            load_dataset(name, tmp_path / name)
        assert file in str(error.value)
        assert "\n" not in str(error.value)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    mat(tmp_path / "train_32x32.mat", 5)
    mat(tmp_path / "test_32x32.mat", 5)
    with pytest.raises(BenchError, match=r"5 training and 5 test pictures, svhn has 73257 and 26032"):
        load_dataset("svhn", tmp_path)
    assert not (tmp_path / "svhn.canonical.npz").exists()
