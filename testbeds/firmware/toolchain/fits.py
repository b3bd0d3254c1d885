"""Checks that a device graph does what its description says of it: a wrong index would build, and answer nonsense."""

from __future__ import annotations

import math
from pathlib import Path

from harness.contracts.description import DESCRIPTION, GRAPH, DeviceDescription
from harness.contracts.errors import BenchError
from testbeds.firmware.generator.model import Model, Tensor, read_model

_ZERO_POINT = -128  # the device turns a picture's bytes into int8 = uint8 - 128 and does nothing else to them
_SCALES = (1 / 255, 1.0)  # the graph was made for pictures in 0..1, or in 0..255
_TRAIN = "name the right output, or export the graph again"


def check_graph(artefact_dir: Path, description: DeviceDescription) -> None:
    """Hold the graph of an artefact against its description: input, feature map, local logits.

    Raises:
        BenchError: they disagree, with the key; or the graph can't be read.
    """
    if not description.graph:
        return
    model = read_model(artefact_dir / GRAPH)
    _check_input(artefact_dir / GRAPH, model, description)
    d = description
    if d.features_output >= 0:
        shape = _output(artefact_dir, model, "features_output", d.features_output).shape[1:]
        if d.offload == "features" and (len(shape) != 3 or d.first_channel + d.channels > shape[2]):
            raise BenchError(
                f"{artefact_dir / DESCRIPTION}: features_output {d.features_output} is of shape {list(shape)}, which "
                f"has no channels {d.first_channel} to {d.first_channel + d.channels - 1} of a map",
                cure=_TRAIN,
            )
    if d.local_logits_output >= 0:
        shape = _output(artefact_dir, model, "local_logits_output", d.local_logits_output).shape[1:]
        if shape != (d.classes,):
            raise BenchError(
                f"{artefact_dir / DESCRIPTION}: local_logits_output {d.local_logits_output} is of shape "
                f"{list(shape)}, which are not the logits of {d.classes} classes",
                cure=_TRAIN,
            )


def _output(folder: Path, model: Model, key: str, index: int) -> Tensor:
    if index >= len(model.outputs):
        raise BenchError(
            f"{folder / DESCRIPTION}: {key} is {index}, and the graph has {len(model.outputs)} outputs", cure=_TRAIN
        )
    return model.tensors[model.outputs[index]]


def _check_input(path: Path, model: Model, d: DeviceDescription) -> None:
    if len(model.inputs) != 1:
        raise BenchError(f"{path} has {len(model.inputs)} inputs", cure="export it with the picture as its only input")
    given = model.tensors[model.inputs[0]]
    if tuple(given.shape[1:]) != d.input_shape or given.dtype != "int8":
        raise BenchError(
            f"{path} takes {given.dtype} {list(given.shape)}, {DESCRIPTION} says input_shape {list(d.input_shape)}",
            cure="export it as int8 for that shape",
        )
    if (
        not given.scales.size
        or given.zero_point != _ZERO_POINT
        or not any(math.isclose(given.scale, s, rel_tol=1e-4) for s in _SCALES)
    ):
        told = f"scale {given.scale:.6g} and zero point {given.zero_point}" if given.scales.size else "no scale"
        raise BenchError(
            f"{path} takes pictures with {told}; the device gives them as uint8 - 128",
            cure="put the normalisation into the network, feed it 0..1, and calibrate with pictures that span 0..255: "
            "scale 1/255 and zero point -128 come of it",
        )
