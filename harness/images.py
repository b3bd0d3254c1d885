"""The pictures that are measured: the test split of a data set, in its one canonical order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import BenchError


@dataclass(frozen=True)
class Images:
    """uint8 [n, height, width, 3] pictures, their labels [n], and what identifies them."""

    name: str
    pictures: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    classes: int
    checksum: str

    def __len__(self) -> int:
        return len(self.pictures)

    def picture(self, index: int) -> npt.NDArray[np.uint8]:
        """Picture `index`.

        Raises:
            BenchError: there is none.
        """
        if not 0 <= index < len(self):
            raise BenchError(f"image {index} is not in {self.name}", cure=f"choose one from 0 to {len(self) - 1}")
        one: npt.NDArray[np.uint8] = self.pictures[index]
        return one


def load(dataset: str, data_dir: Path | None = None) -> Images:
    """The test split of `dataset`.

    Raises:
        BenchError: unknown data set, or its files are neither here nor to be had.
    """
    from baselines.data.registry import load_dataset  # noqa: PLC0415 - found late, like every baseline

    data = load_dataset(dataset, data_dir)
    return Images(data.name, data.x_test, data.y_test, data.classes, data.checksum)


def check_name(dataset: str) -> None:
    """Raises BenchError, listing the known ones, when `dataset` is unknown. Reads nothing."""
    from baselines.data.registry import dataset_names  # noqa: PLC0415

    if dataset not in dataset_names():
        raise BenchError(f"unknown data set '{dataset}'", cure=f"choose from {', '.join(sorted(dataset_names()))}")
