"""Holds a data set in memory, and defines its canonical order and its checksum."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import BenchError
from harness.contracts.files import replacing

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.unsignedinteger[Any]]  # uint8 for up to 256 classes, uint16 for more


@dataclass(frozen=True)
class DataSet:
    """Holds one data set of pictures.

    `x_*` are uint8 RGB pictures [n, height, width, 3], `y_*` are class numbers [n], uint8 for up to 256
    classes and uint16 for more. Both are in canonical order.
    """

    name: str
    x_train: Pixels
    y_train: Labels
    x_test: Pixels
    y_test: Labels
    names: tuple[str, ...]
    checksum: str
    flips: bool = True  # is a picture's mirror image of the same class? Not so for digits and letters

    @property
    def classes(self) -> int:
        return len(self.names)


def _sample_digests(x: Pixels, y: Labels) -> list[bytes]:
    flat = np.ascontiguousarray(x).reshape(len(x), -1)
    return [hashlib.sha256(row.tobytes() + label.tobytes()).digest() for row, label in zip(flat, y, strict=True)]


def canonical_order(x: Pixels, y: Labels) -> tuple[Pixels, Labels]:
    """Sort samples by the SHA-256 of pixels (row-major RGB bytes) and label (one byte, or two, low first).

    Sources store the same pictures in different orders; sorted so, a seed picks the same pictures from each of them.
    """
    digests = _sample_digests(x, y)
    order = sorted(range(len(digests)), key=digests.__getitem__)
    return x[order], y[order]


def checksum(x_train: Pixels, y_train: Labels, x_test: Pixels, y_test: Labels) -> str:
    """Return the SHA-256 (hex) over shapes, pixels and labels of both splits, in the order in which they are given."""
    digest = hashlib.sha256()
    for array in (x_train, y_train, x_test, y_test):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def train_validation_split(
    x: Pixels, y: Labels, *, validation: int = 5000, seed: int = 0
) -> tuple[Pixels, Labels, Pixels, Labels]:
    """Split the training set; every class has the same number in the validation part, as far as it divides.

    Return `x_train, y_train, x_validation, y_validation`. The test set is not part of this: choices are made on
    validation. The split depends on `seed` and the canonical order only.
    """
    if not 0 < validation < len(x):
        raise BenchError(f"validation split of {validation} out of {len(x)} pictures", cure="choose fewer")
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(x))
    # Rank of each sample within its class in shuffled order: taking the lowest ranks balances the classes.
    rank = np.empty(len(x), dtype=np.int64)
    for label in np.unique(y):
        members = shuffled[y[shuffled] == label]
        rank[members] = np.arange(len(members))
    by_rank = shuffled[np.argsort(rank[shuffled], kind="stable")]
    held_out = np.zeros(len(x), dtype=bool)
    held_out[by_rank[:validation]] = True
    return x[~held_out], y[~held_out], x[held_out], y[held_out]


def save_npz(path: Path, data: DataSet, source: str = "") -> None:
    """Write `data` atomically: an interrupted write leaves no half file under the final name.

    It keeps `source` too, which says what the data were made of.
    """
    with replacing(path, "--data-dir") as f:
        np.savez(
            f,
            x_train=data.x_train,
            y_train=data.y_train,
            x_test=data.x_test,
            y_test=data.y_test,
            names=np.array(data.names),
            source=np.array(source),
        )
