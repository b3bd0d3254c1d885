"""Loads the pictures that are measured: the test split of a data set, in its one canonical order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.contracts.description import DeviceDescription
from harness.contracts.errors import BenchError


class Pictures(Protocol):
    """Gives pictures and labels by their number in the data set."""

    def picture(self, index: int) -> npt.NDArray[np.uint8]:
        """Return picture `index`, uint8 [height, width, 3]. Raises BenchError when there is none."""

    def label(self, index: int) -> int:
        """Return the class of picture `index`. Raises BenchError when there is none."""


@dataclass(frozen=True)
class Few:
    """Holds some pictures of a data set under the numbers that they have there."""

    pictures: Mapping[int, npt.NDArray[np.uint8]]
    labels: Mapping[int, int]

    def picture(self, index: int) -> npt.NDArray[np.uint8]:
        """Do what `Pictures.picture` says."""
        if index not in self.pictures:
            raise BenchError(f"image {index} is not among the pictures at hand")
        return self.pictures[index]

    def label(self, index: int) -> int:
        """Do what `Pictures.label` says."""
        self.picture(index)
        return self.labels[index]


@dataclass(frozen=True)
class Images:
    """Holds uint8 [n, height, width, 3] pictures, their labels [n], and what identifies them."""

    name: str
    pictures: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.unsignedinteger[Any]]  # uint8 for up to 256 classes, else uint16
    classes: int
    checksum: str

    def fitting(self, description: DeviceDescription) -> Images:
        """Return these pictures as a network takes them: scaled where its description says so.

        Raises:
            BenchError: they have another size or other classes than the network.
        """
        d = description
        pictures = self.pictures
        if d.scale_pictures:
            from baselines.data.resize import resized  # noqa: PLC0415 - found late, like every baseline

            pictures = resized(pictures, d.input_shape[0])
        if pictures.shape[1:] != d.input_shape or self.classes != d.classes:
            own = "x".join(map(str, pictures.shape[1:3]))
            wanted = "x".join(map(str, d.input_shape[:2]))
            raise BenchError(
                f"{d.label} takes {wanted} pictures of {d.classes} classes, {self.name} has {own} and {self.classes}",
                cure="train it for this data set",
            )
        return replace(self, pictures=pictures)

    def __len__(self) -> int:
        return len(self.pictures)

    def picture(self, index: int) -> npt.NDArray[np.uint8]:
        """Return picture `index`.

        Raises:
            BenchError: there is none.
        """
        if not 0 <= index < len(self):
            raise BenchError(f"image {index} is not in {self.name}", cure=f"choose one from 0 to {len(self) - 1}")
        one: npt.NDArray[np.uint8] = self.pictures[index]
        return one

    def label(self, index: int) -> int:
        """Return the class of picture `index`. Raises as `picture`."""
        self.picture(index)
        return int(self.labels[index])

    def few(self, indices: Iterable[int]) -> Few:
        """Return some of the pictures, for where the whole set would be too much. Raises as `picture`."""
        chosen = sorted(set(indices))
        return Few({i: self.picture(i) for i in chosen}, {i: self.label(i) for i in chosen})


def load(dataset: str, data_dir: Path | None = None) -> Images:
    """Load the test split of `dataset`.

    Raises:
        BenchError: unknown data set, or its files are neither here nor to be had.
    """
    from baselines.data.registry import load_dataset  # noqa: PLC0415 - found late, like every baseline

    data = load_dataset(dataset, data_dir)
    return Images(data.name, data.x_test, data.y_test, data.classes, data.checksum)


def check_name(dataset: str) -> None:
    """Raise BenchError, listing the known ones, when `dataset` is unknown. This reads nothing."""
    from baselines.data.registry import dataset_names  # noqa: PLC0415

    if dataset not in dataset_names():
        raise BenchError(f"unknown data set '{dataset}'", cure=f"choose from {', '.join(sorted(dataset_names()))}")
