"""Reads the `.npz` of pictures that users bring: takes every array as it is meant, or refuses it with the cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baselines.data.dataset import Labels
from baselines.data.formats import Arrays, UInt8
from harness.contracts import reading
from harness.contracts.errors import BenchError

MOST_CLASSES = 1000  # as many as a description allows (harness/contracts/description.py)
_WANTED = ("x_train", "y_train", "x_test", "y_test", "names")
_BYTE_CLASSES = 256  # up to here labels are kept in a byte, as in the published sets whose checksums are known


def read_npz(path: Path) -> Arrays:
    """Read an .npz with x_train, y_train, x_test, y_test and names.

    Pictures are uint8 [n, height, width, 3]; labels are whole numbers of any integer type, [n] or [n, 1]. Nothing is
    scaled, rounded or cut: what would have to be is refused.

    Raises:
        BenchError: the file is damaged, or an array is missing or of another kind, with what would mend it.
    """
    found = _arrays(path)
    names = _names(found["names"])
    _check_names(path, names)
    x_train, x_test = (_pictures(path, key, found[key]) for key in ("x_train", "x_test"))
    if x_train.shape[1:] != x_test.shape[1:]:
        raise BenchError(
            f"{path}: pictures of x_train are {_size(x_train)}, those of x_test {_size(x_test)}",
            cure="scale all of them to one size and save the file again",
        )
    y_train, y_test = (_labels(path, key, found[key], names) for key in ("y_train", "y_test"))
    for key, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        if len(x) != len(y):
            raise BenchError(
                f"{path}: x_{key} has {len(x)} pictures, y_{key} {len(y)} labels", cure="give each picture one label"
            )
    return Arrays(x_train, y_train, x_test, y_test, names)


def source_of(path: Path) -> str:
    """Return what a canonical copy says that it was made of, or "" where it says nothing or can't be read."""
    try:
        with np.load(path, allow_pickle=False) as z:
            return str(z["source"])
    except reading.NO_ARCHIVE:
        return ""


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as z:
            files = list(z.files)
            missing = [name for name in _WANTED if name not in files]
            found = {} if missing else {name: np.asarray(z[name]) for name in _WANTED}
    except reading.NO_ARCHIVE as e:
        if "allow_pickle" not in str(e):
            raise BenchError(f"{path} is damaged or no .npz file ({e})", cure="save it again by numpy.savez") from e
        raise BenchError(
            f"{path} holds an array of Python objects, which could run code",
            cure="save plain arrays: pictures of one size as uint8, labels as integers, names as text",
        ) from e
    if missing:
        cure = f"add {' and '.join(missing)} by numpy.savez; it has {', '.join(files) or 'nothing'}"
        if "names" in missing:
            cure += "; names is the list of class names, one for each number from 0"
        raise BenchError(f"{path} lacks {', '.join(missing)}", cure=cure)
    return found


def _names(names: npt.NDArray[Any]) -> tuple[str, ...]:
    if names.dtype.kind == "S":
        names = np.char.decode(names, "utf-8", "replace")
    return tuple(str(name) for name in names.reshape(-1))


def _check_names(path: Path, names: tuple[str, ...]) -> None:
    if not 2 <= len(names) <= MOST_CLASSES:
        raise BenchError(
            f"{path} has {len(names)} class names", cure=f"give one for each class; 2 to {MOST_CLASSES} classes can be"
        )


def _pictures(path: Path, key: str, x: npt.NDArray[Any]) -> UInt8:
    """Return the pictures as uint8 [n, h, w, 3], or refuse them and say how to make them so."""
    if x.ndim == 3 or (x.ndim == 4 and x.shape[-1] == 1):
        raise BenchError(
            f"{path}: {key} is {list(x.shape)}, grey pictures; the networks take RGB",
            cure=f"save {key} = numpy.repeat({key}.reshape(*{key}.shape[:3], 1), 3, axis=3)",
        )
    if x.ndim == 4 and x.shape[-1] != 3 and x.shape[1] == 3:
        raise BenchError(
            f"{path}: {key} is {list(x.shape)}, with the colours first", cure=f"save {key}.transpose(0, 2, 3, 1)"
        )
    if x.ndim == 4 and x.shape[-1] == 4:
        raise BenchError(f"{path}: {key} is {list(x.shape)}, RGBA", cure=f"save {key}[..., :3]")
    if x.ndim != 4 or x.shape[-1] != 3 or not x.size:
        raise BenchError(f"{path}: {key} is {list(x.shape)}", cure="save pictures as uint8 [n, height, width, 3]")
    if x.dtype == np.uint8:
        return x
    raise BenchError(f"{path}: {key} is {_kind(x)}, not uint8", cure=_to_bytes(key, x))


def _to_bytes(key: str, x: npt.NDArray[Any]) -> str:
    """Say how pictures of another type become bytes; their range tells which scale they have."""
    if x.dtype.kind in "fiu" and np.isfinite(x).all():
        low, high = float(x.min()), float(x.max())
        if x.dtype.kind in "iu" and low >= 0 and high <= 255:
            return f"save {key}.astype('uint8')"
        if x.dtype.kind == "f" and low >= 0 and high <= 1:
            return f"save ({key} * 255).round().astype('uint8')"
        if x.dtype.kind == "f" and low >= -1 and high <= 1:
            return f"save (({key} + 1) * 127.5).round().astype('uint8') if -1 is black and 1 white"
        if x.dtype.kind == "f" and low >= 0 and high <= 255:
            return f"save {key}.round().astype('uint8') if 0 is black and 255 white"
    return "scale black to 0 and white to 255, round, and save as uint8"


def _labels(path: Path, key: str, y: npt.NDArray[Any], names: tuple[str, ...]) -> Labels:
    """Return class numbers [n] in one byte each, or in two where there are more than 256 classes."""
    if y.ndim == 2 and y.shape[1] == len(names) and y.shape[1] > 1:
        raise BenchError(f"{path}: {key} is {list(y.shape)}, one-hot labels", cure=f"save {key}.argmax(axis=1)")
    if y.dtype.kind not in "iu" or y.ndim not in (1, 2) or (y.ndim == 2 and y.shape[1] != 1):
        raise BenchError(
            f"{path}: {key} is {_kind(y)} {list(y.shape)}, not class numbers [n]",
            cure=f"save {key} as whole numbers from 0, numpy.int64 for example, one for each picture",
        )
    y = y.reshape(-1)
    if y.size and int(y.min()) < 0:
        raise BenchError(f"{path}: {key} has the label {int(y.min())}", cure="count classes from 0")
    if y.size and int(y.max()) >= len(names):
        raise BenchError(
            f"{path}: {key} has label {int(y.max())} and {len(names)} class names",
            cure="count classes from 0, and give every class a name in names",
        )
    return y.astype(np.uint8 if len(names) <= _BYTE_CLASSES else np.dtype("<u2"))


def _kind(array: npt.NDArray[Any]) -> str:
    """Describe an array by its type and, where it has one, its range: `float32 from 0 to 1`."""
    if array.dtype.kind not in "fiu" or not array.size:
        return str(array.dtype)
    return f"{array.dtype} from {array.min():g} to {array.max():g}"


def _size(x: UInt8) -> str:
    return f"{x.shape[1]}x{x.shape[2]}"
