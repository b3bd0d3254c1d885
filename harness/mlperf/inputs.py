"""Reads inputs with their labels: a folder in the benchmark's own format, or pictures of a data set."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.contracts import reading
from harness.contracts.errors import BenchError

LABELS = "y_labels.csv"
MAX_INPUT_BYTES = 1 << 20


@dataclass(frozen=True)
class Input:
    """Holds one input as it goes to the device."""

    name: str
    data: bytes
    label: int


@dataclass(frozen=True)
class InputSet:
    """Holds inputs in a fixed order, and where they are from."""

    source: str
    classes: int
    inputs: Sequence[Input]


def from_folder(folder: Path) -> InputSet:
    """Read `y_labels.csv` with `file,classes,label` in each line, beside the `.bin` files that it names.

    Raises:
        BenchError: the folder or a file is missing or unreadable, or a line is of another form.
    """
    path = folder / LABELS
    try:
        said = reading.text(path, f"give --inputs a folder with {LABELS} and the .bin files it names")
        rows = [row for row in csv.reader(io.StringIO(said, newline="")) if any(cell.strip() for cell in row)]
    except (csv.Error, ValueError) as e:
        raise BenchError(
            f"{path} can't be read ({e})", cure=f"give --inputs a folder with {LABELS} and the .bin files it names"
        ) from e
    inputs, classes = [], set()
    for number, row in enumerate(rows, start=1):
        name, count, label = _row(path, number, row)
        classes.add(count)
        inputs.append(Input(name, _read(folder, name, path, number), label))
    if len(classes) != 1:
        raise BenchError(f"{path} tells {len(classes)} numbers of classes", cure="give every line the same one")
    return InputSet(str(folder), classes.pop(), inputs)


def from_arrays(
    source: str, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer], classes: int, limit: int | None = None
) -> InputSet:
    """Make inputs of H*W*3 bytes in RGB order from uint8 [n, H, W, 3] and integer [n], the first `limit` of them."""
    count = len(images) if limit is None else min(limit, len(images))
    width = len(str(max(count - 1, 0)))
    chosen = [
        Input(f"{source.replace(' ', '_')}_{i:0{width}d}.bin", images[i].tobytes(), int(labels[i]))
        for i in range(count)
    ]
    return InputSet(source, classes, chosen)


def _row(path: Path, number: int, row: list[str]) -> tuple[str, int, int]:
    cells = [cell.strip() for cell in row]
    if len(cells) == 5:
        raise BenchError(
            f"{path} line {number} asks for sliding windows (anomaly detection)",
            cure="only inputs with one label each are supported (ic, vww, kws)",
        )
    if len(cells) != 3 or not cells[1].isdigit() or not cells[2].isdigit() or len(cells[1]) > 4 or len(cells[2]) > 4:
        raise BenchError(f"{path} line {number} is not `file,classes,label`", cure="mend that line")
    classes, label = int(cells[1]), int(cells[2])
    if not 2 <= classes <= 1000 or label >= classes:
        raise BenchError(f"{path} line {number} has label {label} of {classes} classes", cure="mend that line")
    return cells[0], classes, label


def _read(folder: Path, name: str, labels: Path, number: int) -> bytes:
    if not name or Path(name).name != name:
        raise BenchError(f"{labels} line {number} names {name!r}, not a file of that folder", cure="mend that line")
    try:
        size = (folder / name).stat().st_size
        if not 0 < size <= MAX_INPUT_BYTES:
            raise BenchError(f"{folder / name} has {size} bytes", cure=f"inputs have 1 to {MAX_INPUT_BYTES} bytes")
        return (folder / name).read_bytes()
    except OSError as e:
        raise BenchError(f"{folder / name} can't be read ({e.strerror})", cure=f"restore it or mend {labels}") from e


def first(inputs: InputSet, limit: int | None) -> InputSet:
    """Return the first `limit` inputs; all when it is None."""
    return inputs if limit is None else InputSet(inputs.source, inputs.classes, inputs.inputs[:limit])


def synthetic(count: int, size: int = 3072, classes: int = 10) -> InputSet:
    """Make up inputs for the stand-in, whose "network" is their byte sum modulo `classes`: so is their label."""
    data = [np.random.default_rng(i).integers(0, 256, size, dtype=np.uint8).tobytes() for i in range(count)]
    return InputSet(
        "synthetic inputs", classes, [Input(f"synthetic_{i:04d}.bin", d, sum(d) % classes) for i, d in enumerate(data)]
    )
