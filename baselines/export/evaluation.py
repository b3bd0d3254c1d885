"""Measures the accuracy of an artefact as it will run: int8 device half, symbols, server network, combination."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baselines.data import DataSet, Labels, resized, train_validation_split
from baselines.export.artefact import versions, write_text
from baselines.export.exits import exits
from baselines.export.pictures import through_jpeg
from harness.contracts import tomlout
from harness.contracts.description import GRAPH, DeviceDescription, load_description
from harness.contracts.scheme import Scheme

Floats = npt.NDArray[np.float32]


def device_half(
    description: DeviceDescription, graph: bytes | None, pictures: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint8] | None, Floats | None]:
    """Return symbols [n, symbols] and local logits [n, classes] that the int8 device half makes of uint8 pictures."""
    d = description
    whole = None
    if d.offload == "image":
        sent = through_jpeg(pictures, d.jpeg_quality, d.jpeg_chroma) if d.codec == "jpeg" else pictures
        whole = sent.reshape(len(pictures), -1)
    if graph is None:
        return whole, None
    from baselines.export.borders import output_quantisation  # noqa: PLC0415
    from baselines.export.quantise import run_int8  # noqa: PLC0415 - runs an interpreter

    outputs = run_int8(graph, pictures)
    symbols, local = whole, None
    if d.offload == "features":
        features = outputs[d.features_output][..., d.first_channel : d.first_channel + d.channels]
        symbols = np.asarray(d.symbol_table, dtype=np.uint8)[features.astype(np.int16) + 128]
        symbols = symbols.reshape(len(pictures), -1)
    if d.local_logits_output >= 0:
        scale, zero_point = output_quantisation(graph, d.local_logits_output)
        local = (outputs[d.local_logits_output].astype(np.float32) - zero_point) * np.float32(scale)
    return symbols, local


def combine(local: Floats, remote: Floats, alpha: float) -> Floats:
    """Return alpha * local + (1 - alpha) * remote (paper, section 3.2)."""
    return np.float32(alpha) * local + np.float32(1.0 - alpha) * remote


def accuracies(scheme: Scheme, folder: Path, pictures: npt.NDArray[np.uint8], labels: Labels) -> dict[str, float]:
    """Return shares of right answers, in 0..1: `combined`, and `local` and `remote` alone where the scheme has them.

    Where samples may exit early, `combined` is taken with the exit at the description's threshold, and `exited` is
    the share of those that exit.
    """
    description = load_description(folder)
    if description.scale_pictures:
        pictures = resized(pictures, description.input_shape[0])
    graph = (folder / GRAPH).read_bytes() if description.graph else None
    symbols, local = device_half(description, graph, pictures)
    remote = scheme.server(folder).infer_batch(symbols) if symbols is not None else None
    found: dict[str, float] = {}
    if local is not None:
        found["local"] = _right(local, labels)
    if remote is not None:
        found["remote"] = _right(remote, labels)
    if local is not None and remote is not None:
        together = combine(local, remote, description.alpha)
        if description.exit_threshold <= 1.0:
            left = exits(local, description.exit_threshold)
            together = np.where(left[:, None], local, together)
            found["exited"] = float(left.mean())
        found["combined"] = _right(together, labels)
    else:
        found["combined"] = found.get("local", found.get("remote", 0.0))
    return {name: round(value, 5) for name, value in found.items()}


def _right(logits: Floats, labels: Labels) -> float:
    return float(np.mean(np.argmax(logits, axis=-1) == labels))


def summarise(
    scheme: Scheme,
    folder: Path,
    data: DataSet,
    validation: int,
    *,
    training: dict[str, Any],
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure the artefact on validation and, as the last look, on test; write `summary.toml`."""
    _, _, x, y = train_validation_split(data.x_train, data.y_train, validation=validation)
    summary: dict[str, Any] = {
        "scheme": scheme.name,
        "dataset": data.name,
        "validation_n": len(y),
        "test_n": len(data.y_test),
        "validation_int8": accuracies(scheme, folder, x, y),
        "test_int8": accuracies(scheme, folder, data.x_test, data.y_test),
        "training": training,
        **(more or {}),
        "versions": versions(),
    }
    text = tomlout.dumps(summary)
    tomllib.loads(text)
    write_text(folder / "summary.toml", text)
    return summary
