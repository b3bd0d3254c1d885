"""Gathers the points of a scheme's curve: the same recipe trained once for each value of one key.

A point is a folder of weights like any other; below `curve/` in the scheme's folder, runs find it by themselves. Its
accuracy and bytes are those of the whole test set, by the device's own C code (harness/artefacts/accuracy.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.artefacts import accuracy, artefacts, images
from harness.contracts.errors import BenchError
from harness.runs.store import csv_text
from harness.training.seeds import read_summary

COLUMNS = (
    "scheme", "dataset", "profile", "key", "value", "n_test", "accuracy", "local_accuracy", "remote_accuracy",
    "payload_bytes_mean", "exited_share", "validation_accuracy", "train_flop", "train_cpu_s", "weights", "folder",
)  # fmt: skip
FILE = "curve.csv"

Row = dict[str, Any]


def parse(text: str) -> tuple[str, list[str]]:
    """Read `rate.per_byte=1e-3,2e-3` as a key and its values, each once.

    Raises:
        BenchError: there is no key, or no value, or one twice.
    """
    key, equals, rest = text.partition("=")
    values = [value.strip() for value in rest.split(",") if value.strip()]
    if not equals or not key.strip() or not values or len(set(values)) < len(values):
        raise BenchError(f"--each {text!r} is no key and its values", cure="write e.g. --each rate.per_byte=1e-3,2e-3")
    return key.strip(), values


def folder_of(above: Path, key: str, value: str) -> Path:
    """Return the folder of a point: `above/per_byte_1e-3`, which is also what it is called in a run."""
    return above / re.sub(r"[^a-z0-9_-]", "_", f"{key.rpartition('.')[2]}_{value}".lower())


def point(folder: Path, key: str, value: str) -> Row:
    """Return the row of the point whose weights are in `folder`; what is not cached is measured.

    Raises:
        BenchError: the weights are damaged, or can't be built or measured.
    """
    from testbeds.firmware.toolchain.build import build  # noqa: PLC0415 - found late, like every testbed

    artefact = artefacts.load(folder)
    d = artefact.description
    data, library = images.load(d.dataset).fitting(d), build(folder, "host")
    found = accuracy.cached(artefact, library, data) or accuracy.measured_apart(artefact, library, data)
    row = {"scheme": d.scheme, "dataset": d.dataset, "profile": d.profile, "key": key, "value": value}
    return (
        row | _measured(found) | _trained(read_summary(folder)) | {"weights": artefact.weights, "folder": folder.name}
    )


def _measured(found: accuracy.Measured) -> Row:
    def share(count: int | None) -> float | None:
        return None if count is None else round(count / found.n, 5)

    return {
        "n_test": found.n,
        "accuracy": share(found.right),
        "local_accuracy": share(found.local_right),
        "remote_accuracy": share(found.remote_right),
        "payload_bytes_mean": round(found.payload_bytes_mean, 2) or None,
        "exited_share": share(found.exited),
    }


def _trained(summary: Mapping[str, Any]) -> Row:
    training = summary.get("training", {})
    return {
        "validation_accuracy": summary.get("validation_int8", {}).get("combined"),
        "train_flop": training.get("flop"),
        "train_cpu_s": training.get("cpu_s"),
    }


def as_csv(rows: Sequence[Row]) -> str:
    """Return the rows as curve.csv has them."""
    return csv_text(COLUMNS, rows)


def as_text(rows: Sequence[Row]) -> list[list[str]]:
    """Return value, accuracy in percent, mean bytes and share that exits in percent, as people read them."""

    def shown(value: float | None, factor: float, digits: int) -> str:
        return "–" if value is None else f"{factor * value:.{digits}f}"

    return [
        [
            str(row["value"]),
            shown(row["accuracy"], 100, 2),
            shown(row["payload_bytes_mean"], 1, 1),
            shown(row["exited_share"], 100, 1),
        ]
        for row in rows
    ]
