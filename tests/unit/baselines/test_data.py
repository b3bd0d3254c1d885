"""Data sets: every source gives the same pictures in the same order; a wrong or missing one is a one-line error."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from baselines.data import arrays, canonical_order, checksum, dataset, download, formats, load_dataset, registry
from baselines.data import train_validation_split as split
from harness.contracts.errors import BenchError

RNG = np.random.default_rng(3)
X_TRAIN = RNG.integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
Y_TRAIN = (np.arange(50) % 10).astype(np.uint8)
X_TEST = RNG.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
Y_TEST = (np.arange(20) % 10).astype(np.uint8)


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def planes(x: np.ndarray) -> np.ndarray:
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def python_archive(path: Path, *, fine: bool) -> Path:
    """The published archive: batches pickled by protocol 2 with byte-string keys, colour planes in rows."""
    key = b"fine_labels" if fine else b"labels"
    batches: dict[str, Any] = {}
    if fine:
        batches["cifar-100-python/train"] = {b"data": planes(X_TRAIN), key: Y_TRAIN.tolist()}
        batches["cifar-100-python/test"] = {b"data": planes(X_TEST), key: Y_TEST.tolist()}
        batches["cifar-100-python/meta"] = {b"fine_label_names": [n.encode() for n in formats.CIFAR10_NAMES]}
    else:
        for i in range(5):
            part = slice(10 * i, 10 * i + 10)
            batches[f"cifar-10-batches-py/data_batch_{i + 1}"] = {
                b"data": planes(X_TRAIN[part]),
                key: Y_TRAIN[part].tolist(),
            }
        batches["cifar-10-batches-py/test_batch"] = {b"data": planes(X_TEST), key: Y_TEST.tolist()}
        batches["cifar-10-batches-py/batches.meta"] = {b"label_names": [n.encode() for n in formats.CIFAR10_NAMES]}
    with tarfile.open(path, "w:gz") as tar:
        for name, batch in batches.items():
            add(tar, name, pickle.dumps(batch, protocol=2))
    return path


def sheets(path: Path) -> Path:
    """The npm package: one picture a row, and a training set in another order than the archive's."""
    order = RNG.permutation(50)
    with tarfile.open(path, "w:gz") as tar:
        for i in range(6):
            name = f"data_batch_{i + 1}" if i < 5 else "test_batch"
            pictures = X_TRAIN[order][10 * i : 10 * i + 10] if i < 5 else X_TEST[::-1]
            stream = io.BytesIO()
            Image.fromarray(pictures.reshape(len(pictures), 1024, 3)).save(stream, "PNG")
            add(tar, f"package/{name}.png", stream.getvalue())
        add(tar, "package/train_lables.json", json.dumps(Y_TRAIN[order].tolist()).encode())
        add(tar, "package/test_lables.json", json.dumps(Y_TEST[::-1].tolist()).encode())
    return path


def npz(path: Path) -> Path:
    np.savez(
        path,
        x_train=X_TRAIN[::-1],
        y_train=Y_TRAIN[::-1],
        x_test=X_TEST,
        y_test=Y_TEST,
        names=np.array(formats.CIFAR10_NAMES),
    )
    return path


def small_checksum() -> str:
    return checksum(*canonical_order(X_TRAIN, Y_TRAIN), *canonical_order(X_TEST, Y_TEST))


def entry(*sources: registry.Source, expected: str | None = None) -> registry.Entry:
    return registry.Entry("small", sources, expected or small_checksum(), "small.npz")


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (lambda p: python_archive(p, fine=False), lambda p: formats.read_cifar_tar(p, fine=False)),
        (lambda p: python_archive(p, fine=True), lambda p: formats.read_cifar_tar(p, fine=True)),
        (sheets, formats.read_cifar10_sheets),
        (npz, arrays.read_npz),
    ],
    ids=["python-archive", "python-archive-fine", "png-sheets", "npz"],
)
def test_every_source_gives_the_same_pictures_in_the_same_order(tmp_path: Path, write: Any, read: Any) -> None:
    path = write(tmp_path / "file.npz")
    data = registry._load(entry(registry.Source(path.name, read)), tmp_path)
    x, y = canonical_order(X_TRAIN, Y_TRAIN)
    assert np.array_equal(data.x_train, x)
    assert np.array_equal(data.y_train, y)
    assert data.names == formats.CIFAR10_NAMES
    assert data.checksum == small_checksum()


def test_second_load_reads_the_canonical_copy(tmp_path: Path) -> None:
    source = npz(tmp_path / "given.npz")
    first = registry._load(entry(registry.Source("given.npz", arrays.read_npz)), tmp_path)
    source.unlink()
    second = registry._load(entry(), tmp_path)
    assert np.array_equal(first.x_test, second.x_test)


def test_other_pictures_are_refused(tmp_path: Path) -> None:
    npz(tmp_path / "given.npz")
    with pytest.raises(BenchError, match="holds other pictures"):
        registry._load(entry(registry.Source("given.npz", arrays.read_npz), expected="0" * 64), tmp_path)
    assert not list(tmp_path.glob("*.canonical.npz"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x1f\x8b\x08 not gzip"])
def test_damaged_files_are_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(content)
    for read in (arrays.read_npz, formats.read_cifar10_sheets, lambda p: formats.read_cifar_tar(p, fine=False)):
        with pytest.raises(BenchError, match="damaged"):
            read(path)


def test_a_batch_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        add(tar, "cifar-10-batches-py/data_batch_1", pickle.dumps({b"data": Evil()}))
    with pytest.raises(BenchError, match="no place in a picture batch"):
        formats.read_cifar_tar(path, fine=False)
    assert not (tmp_path / "ran").exists()


def test_missing_data_says_where_to_put_what(tmp_path: Path) -> None:
    def unreachable(path: Path) -> Path:
        raise download.Unreachable("http://nowhere: timed out")

    with pytest.raises(BenchError) as error:
        registry._load(entry(registry.Source("small.npz", arrays.read_npz, unreachable)), tmp_path)
    assert str(tmp_path) in str(error.value)
    assert "small.npz" in error.value.cure
    assert "\n" not in str(error.value)


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BenchError, match=r"cifar10, cifar100"):
        load_dataset("mnist")


def test_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    npz(tmp_path / "given.npz")
    monkeypatch.setattr(dataset.np, "savez", cut)
    source = registry.Source("given.npz", arrays.read_npz)
    with pytest.raises(KeyboardInterrupt):
        registry._load(entry(source), tmp_path)
    assert not [p for p in tmp_path.iterdir() if p.name.endswith(".part") or "canonical" in p.name]
    monkeypatch.undo()
    assert len(registry._load(entry(source), tmp_path).x_train) == 50


def test_validation_split_is_balanced_disjoint_and_repeatable() -> None:
    x, y = canonical_order(X_TRAIN, Y_TRAIN)
    x_train, y_train, x_held, y_held = split(x, y, validation=10, seed=0)
    assert (len(x_train), len(x_held)) == (40, 10)
    assert np.bincount(y_held, minlength=10).tolist() == [1] * 10
    assert np.bincount(y_train, minlength=10).tolist() == [4] * 10
    assert not {p.tobytes() for p in x_train} & {p.tobytes() for p in x_held}
    assert np.array_equal(x_held, split(x, y, validation=10, seed=0)[2])
    assert not np.array_equal(x_held, split(x, y, validation=10, seed=1)[2])
