"""Reads data sets that are more than one file: SVHN's two .mat files, and the folder of Tiny ImageNet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from baselines.data.download import files_progress
from baselines.data.formats import Arrays, UInt8
from harness.contracts.errors import BenchError

DIGITS = tuple("0123456789")
TINY_SIZE = 64
_SCIPY = "pip install 'agilenn-bench[svhn]'"


def read_svhn(train: Path) -> Arrays:
    """Read `train_32x32.mat` and, beside it, `test_32x32.mat` (SVHN format 2; MATLAB 5 files).

    X is uint8 [32, 32, 3, n], y [n, 1] holds 1 to 10, where 10 is the digit 0.

    Raises:
        BenchError: a file is missing, damaged or not of this format; or scipy is not installed.
    """
    x_train, y_train = _read_mat(train)
    x_test, y_test = _read_mat(train.with_name("test_32x32.mat"))
    return Arrays(x_train, y_train, x_test, y_test, DIGITS)


def _read_mat(path: Path) -> tuple[UInt8, UInt8]:
    try:
        from scipy.io import loadmat  # noqa: PLC0415 - only this source needs it
    except ImportError as e:
        raise BenchError("SVHN's files are read by scipy, which is not installed", cure=_SCIPY) from e

    try:
        found: dict[str, Any] = loadmat(str(path), variable_names=["X", "y"])
        x, y = np.asarray(found["X"]), np.asarray(found["y"]).reshape(-1)
        if x.dtype != np.uint8 or x.shape[:3] != (32, 32, 3) or x.ndim != 4 or x.shape[3] != len(y):
            raise ValueError(f"X is {x.dtype} {x.shape} for {len(y)} labels")
        if len(y) and not (y.min() >= 1 and y.max() <= 10):
            raise ValueError("labels are not 1 to 10")
    except Exception as e:  # scipy's reader raises nearly anything on bytes that are none of its format
        raise BenchError(f"{path} is missing, damaged or no SVHN file ({e})", cure="fetch it again") from e
    return np.ascontiguousarray(x.transpose(3, 0, 1, 2)), (y % 10).astype(np.uint8)


def read_tiny_imagenet(wnids: Path) -> Arrays:
    """Read the unpacked folder `tiny-imagenet-200`, given its `wnids.txt`: 64x64 JPEG pictures.

    Classes are the sorted lines of `wnids.txt`, named by `words.txt`. The labels of its test pictures were never
    published: its validation pictures are the test split here, as in the paper.

    Raises:
        BenchError: a file is missing, damaged or names an unknown class.
    """
    folder = wnids.parent
    ids = sorted(_lines(wnids))
    if not 2 <= len(ids) <= 256 or len(set(ids)) != len(ids):
        raise BenchError(f"{wnids} names {len(ids)} classes, some twice or too many", cure="unpack it again")
    number = {wnid: i for i, wnid in enumerate(ids)}
    train = [
        (path, number[wnid]) for wnid in ids for path in sorted((folder / "train" / wnid / "images").glob("*.JPEG"))
    ]
    test = []
    annotations = folder / "val" / "val_annotations.txt"
    for line in _lines(annotations):
        name, _, rest = line.partition("\t")
        wnid = rest.split("\t")[0]
        if wnid not in number or Path(name).name != name:
            raise BenchError(f"{annotations}: line {line[:60]!r} names no class or picture", cure="unpack it again")
        test.append((folder / "val" / "images" / name, number[wnid]))
    if not train or not test:
        raise BenchError(f"{folder} holds {len(train)} training and {len(test)} validation pictures", "unpack it again")
    x_train, x_test = _pictures(train), _pictures(test)
    labels = [np.array([label for _, label in part], dtype=np.uint8) for part in (train, test)]
    return Arrays(x_train, labels[0], x_test, labels[1], _names(folder / "words.txt", ids))


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as e:
        raise BenchError(f"{path} can't be read ({e})", cure="unpack tiny-imagenet-200.zip again") from e


def _names(words: Path, ids: list[str]) -> tuple[str, ...]:
    known = dict(line.partition("\t")[::2] for line in _lines(words)) if words.exists() else {}
    return tuple(known.get(wnid, wnid).split(",")[0] for wnid in ids)


def _pictures(listed: list[tuple[Path, int]]) -> UInt8:
    from PIL import Image  # noqa: PLC0415 - only this source needs it

    out = np.empty((len(listed), TINY_SIZE, TINY_SIZE, 3), np.uint8)
    with files_progress("reading pictures", len(listed)) as advance:
        for i, (path, _) in enumerate(listed):
            try:
                with Image.open(path) as picture:
                    pixels = np.asarray(picture.convert("RGB"), dtype=np.uint8)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
                raise BenchError(f"{path} is missing or no picture ({e})", cure="unpack it again") from e
            if pixels.shape != out.shape[1:]:
                raise BenchError(f"{path} is {pixels.shape[1]}x{pixels.shape[0]}, not 64x64", cure="unpack it again")
            out[i] = pixels
            advance()
    return out
