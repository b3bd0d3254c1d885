"""Makes a network of one's own an image that speaks the dialect: a `.tflite` file, or one of the benchmark's shapes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.contracts.errors import BenchError
from harness.mlperf.inputs import InputSet, synthetic

BUILT_IN = {"ic": "resnet8", "vww": "mobilenet_vww"}  # architectures of MLPerf Tiny, with random weights
_DESCRIPTION = """scheme = "{scheme}"
dataset = "own"
profile = "network"
classes = {classes}
input_shape = [{shape}]
graph = true
offload = "none"
features_output = -1
local_logits_output = 0
alpha = 1.0
"""


def write_artefact(network: str, folder: Path) -> None:
    """Make `folder` an artefact that the firmware is built from. `network`: `ic`, `vww`, or a `.tflite` file.

    Raises:
        BenchError: no such network, unreadable, or not from one picture to one row of scores.
    """
    model, data = _read(network)
    shape, classes = _shapes(model, network)
    scheme = f"{network}01_random" if network in BUILT_IN else _name(Path(network).stem)
    text = _DESCRIPTION.format(scheme=scheme, classes=classes, shape=", ".join(map(str, shape)))
    try:
        (folder / "description.toml").write_text(text, encoding="utf-8")
        (folder / "device.tflite").write_bytes(data)
    except OSError as e:
        raise BenchError(f"{folder} can't be written ({e.strerror})", cure="make room in the temporary folder") from e


def random_inputs(network: str, count: int) -> InputSet:
    """Make up inputs of the size that `network` takes: for timing. Raises as `write_artefact`."""
    model, _ = _read(network)
    (height, width, depth), classes = _shapes(model, network)
    return synthetic(count, height * width * depth, classes)


def _read(network: str) -> tuple[Any, bytes]:
    # Found late, like every testbed.
    from testbeds.firmware.generator import model, writer, zoo  # noqa: PLC0415

    if network in BUILT_IN:
        made = getattr(zoo, BUILT_IN[network])()
        return made, writer.write_model(made)
    path = Path(network)
    if not path.is_file():
        raise BenchError(f"{network} is no network", cure=f"give a .tflite file, or one of {', '.join(BUILT_IN)}")
    return model.read_model(path), path.read_bytes()


def _shapes(model: Any, network: str) -> tuple[tuple[int, int, int], int]:
    given = [model.tensors[i] for i in model.inputs]
    told = [model.tensors[i] for i in model.outputs]
    if len(given) != 1 or len(told) != 1:
        raise BenchError(
            f"{network} has {len(given)} inputs and {len(told)} outputs", cure="give a network with one of each"
        )
    shape, row = tuple(given[0].shape), tuple(told[0].shape)
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or given[0].dtype != "int8":
        raise BenchError(
            f"{network} takes {given[0].dtype} {list(shape)}", cure="give one that takes int8 [1, height, width, 3]"
        )
    if len(row) != 2 or row[0] != 1 or not 2 <= row[1] <= 1000:
        raise BenchError(f"{network} puts out {list(row)}", cure="give one that puts out [1, classes]")
    return (shape[1], shape[2], shape[3]), row[1]


def _name(stem: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")[:24] or "network"
