"""Draws the training curve (the paper's Fig 15): loss and accuracies by epoch, from the CSV log, beside the weights."""

from __future__ import annotations

from pathlib import Path

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.show import style

HISTORY = "history.csv"

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
    """Write curves.png and curves.svg into `folder` from its history.csv, and return the files written.

    Raises:
        BenchError: as `read_history`, or the folder can't be written.
    """
    columns = read_history(folder / HISTORY)
    import matplotlib  # noqa: PLC0415 - half a second that --help need not wait for

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    epochs = columns["epoch"]
    shown = {name: text for name, text in {**_ACCURACIES, **_SHAPE}.items() if name in columns}
    with plt.rc_context(style.RC):
        figure, (top, bottom) = plt.subplots(
            2, 1, figsize=(style.COLUMN_INCHES[0], 4.6), layout="constrained", sharex=True, height_ratios=(1, 1.6)
        )
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
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        try:
            written = [folder / f"curves.{kind}" for kind in ("png", "svg")]
            for path in written:
                figure.savefig(path, metadata=style.METADATA[path.suffix[1:]])
        except OSError as e:
            raise BenchError(f"{path} can't be written ({e.strerror})", cure="mend permissions") from e
        finally:
            plt.close(figure)
    return written
