"""Draws the training curve (the paper's Fig 15): loss and accuracies by epoch, from the CSV log, beside the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.show import style
from harness.show.figures.draw import files, page

HISTORY = "history.csv"
NAME = "curves"

# Column of the log -> its text; drawn in this order where the log has it.
_ACCURACIES = {
    "accuracy": "training",
    "val_accuracy": "validation",
    "val_remote": "validation, remote alone",
    "val_local": "validation, local alone",
}
_SHAPE = {"val_skewness": "skewness", "val_violations": "out of order"}


def read_history(path: Path) -> dict[str, list[float]]:
    """Return the columns of a training's log, a value an epoch.

    Raises:
        BenchError: the file is missing, empty or no such log.
    """
    rows = reading.csv_of(path, "train again, or give another folder")
    try:
        columns = {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else {})}
    except (ValueError, KeyError) as e:
        raise BenchError(f"{path} is no training log ({e})", cure="train again, or give another folder") from e
    if not {"epoch", "loss"} <= columns.keys():
        raise BenchError(f"{path} is no training log (epoch or loss is missing)", cure="give another folder")
    return columns


def draw(folder: Path, title: str) -> list[Path]:
    """Write curves.png, .pdf and .svg into `folder` from its history.csv, and return the files written.

    Raises:
        BenchError: as `read_history`, or the folder can't be written.
    """
    columns = read_history(folder / HISTORY)
    epochs = columns["epoch"]
    shown = {name: text for name, text in {**_ACCURACIES, **_SHAPE}.items() if name in columns}
    with _saved(folder), page(folder / NAME, height=1.6, nrows=2, sharex=True, height_ratios=(1, 1.6)) as (top, bottom):
        drawn = style.line("", 3)
        top.plot(epochs, columns["loss"], color=drawn.colour, marker=drawn.marker, markersize=3)
        top.set_ylabel("training loss")
        for index, (name, text) in enumerate(shown.items()):
            drawn = style.line("", index + 4)
            bottom.plot(
                epochs,
                [100 * value for value in columns[name]],
                label=text,
                color=drawn.colour,
                marker=drawn.marker,
                markersize=3,
                linestyle="--" if name in _SHAPE else "-",
            )
        bottom.set_ylabel("%")
        bottom.set_xlabel("epoch")
        bottom.xaxis.get_major_locator().set_params(integer=True)
        top.set_title(title, loc="left")
        top.figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return files(folder / NAME)


@contextmanager
def _saved(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise BenchError(f"{folder / NAME} can't be written ({e.strerror})", cure="mend permissions") from e
