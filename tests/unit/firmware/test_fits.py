"""A description and a device graph that disagree are refused, before anything is built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.errors import BenchError
from testbeds.firmware.generator.compose import Composer
from testbeds.firmware.generator.writer import write_model
from testbeds.firmware.toolchain.build import build

from .firmware_helpers import write_scheme

SIZE = {"input_shape": [8, 8, 3], "channels": 3}


@pytest.fixture
def scheme(tmp_path: Path) -> Callable[..., Path]:
    """scheme(scale=…, zero_point=…, **description): outputs are a map 4x4x4 and the logits of 3 classes."""

    def make(*, scale: float = 1 / 255, zero_point: int = -128, **changes: Any) -> Path:
        c = Composer((8, 8, 3), scale=scale, zero_point=zero_point)
        features = c.conv(0, 4, 3, 2)
        model = c.finish(features, c.dense(c.mean(features), 3))
        folder = write_scheme(tmp_path, **(SIZE | changes))
        (folder / "device.tflite").write_bytes(write_model(model))
        return folder

    return make


def test_what_agrees_is_built(scheme: Callable[..., Path]) -> None:
    assert build(scheme(), "host").is_file()
    assert build(scheme(scale=1.0), "host").is_file()  # a network made for pictures in 0..255


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"local_logits_output": 0, "features_output": 1},
            "features_output 1 is of shape [3], which has no channels 1",
        ),
        (
            {"local_logits_output": 0, "features_output": -1, "offload": "none", "alpha": 1.0},
            "local_logits_output 0 is of shape [4, 4, 4], which are not the logits of 3 classes",
        ),
        ({"classes": 4}, "local_logits_output 1 is of shape [3], which are not the logits of 4 classes"),
        ({"local_logits_output": 2}, "local_logits_output is 2, and the graph has 2 outputs"),
        ({"features_output": 5}, "features_output is 5, and the graph has 2 outputs"),
        ({"channels": 4}, "has no channels 1 to 4 of a map"),
        ({"input_shape": [8, 6, 3]}, "takes int8 [1, 8, 8, 3], description.toml says input_shape [8, 6, 3]"),
        (
            {"zero_point": 0},
            "takes pictures with scale 0.00392157 and zero point 0; the device gives them as uint8 - 128",
        ),
        ({"scale": 0.0039}, "takes pictures with scale 0.0039 and"),
        ({"local_logits_output": -1, "alpha": 0.5}, "alpha 0.5 weighs local logits, and local_logits_output is -1"),
        ({"local_logits_output": -1, "alpha": 0.0, "exit_threshold": 0.8}, "exit_threshold 0.8 looks at local logits"),
        ({"local_logits_output": 0}, "features_output and local_logits_output are the same output"),
    ],
)
def test_what_disagrees_is_refused_by_its_key(scheme: Callable[..., Path], changes: dict[str, Any], said: str) -> None:
    folder = scheme(**changes)
    with pytest.raises(BenchError) as e:
        build(folder, "host")
    assert said in str(e.value)
    assert "\n" not in str(e.value)


def test_a_graph_that_is_none_is_named(scheme: Callable[..., Path]) -> None:
    folder = scheme()
    (folder / "device.tflite").write_bytes(b"no model")
    with pytest.raises(BenchError, match=r"device.tflite is no .tflite file"):
        build(folder, "host")
