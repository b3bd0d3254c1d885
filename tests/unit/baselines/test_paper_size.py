"""The `paper` profile: shapes as published, and the device half fits the board (flash and RAM of a real image)."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet
from baselines.recipes.loading import load_recipe
from baselines.recipes.recipe import AgileNNRecipe
from baselines.schemes.agilenn import AgileNN
from baselines.schemes.agilenn import training as agilenn_training
from baselines.schemes.agilenn.networks import device_model, remote_spec
from baselines.training.interface import Silent
from harness.contracts.description import load_description
from harness.contracts.errors import BenchError
from harness.training.options import TrainOptions
from testbeds.firmware.toolchain.build import build
from testbeds.firmware.toolchain.footprint import footprint

pytestmark = pytest.mark.slow

FLASH, RAM = (0x0800_0000, 1 << 20), (0x2000_0000, 320 << 10)
SLIM = "[4, 4, 8, 8, 8, 8, 8, 16]"  # MobileNetV2's shape at a width that trains in seconds
SLICE = {
    "batch": "16",
    "validation": "16",
    "max_train": "32",
    "network.remote_widths": SLIM,
    "network.remote_start": "random",
    "importance.batch": "8",
    "preselect.samples": "32",
    "preselect.warm_epochs": "0",
    "finish_epochs": "0",
    "distillation.weight": "0.0",
    "reference.epochs": "0",
    "reference.batch": "16",
    "reference.validation": "16",
    "reference.max_train": "32",
    "reference.widths": SLIM,
}


def recipe(preset: str | None = None) -> AgileNNRecipe:
    return load_recipe(AgileNNRecipe, "agilenn", "cifar10", "paper", preset=preset)


def test_shapes_are_the_published_ones(tiny: DataSet) -> None:
    device = device_model(recipe(), tiny, folded=True)
    features, logits = device.output_shape
    assert (device.input_shape[1:], features[1:], logits[1:]) == ((96, 96, 3), (32, 32, 24), (4,))
    spec = remote_spec(recipe(), tiny)
    assert (spec.network, spec.input_shape, spec.widths[-1]) == ("mobilenet_body", (32, 32, 19), 1280)


@pytest.mark.parametrize(("preset", "parameters"), [("public", 27 + 12 + 36 + 96), ("paper", 27 + 72 + 216 + 576)])
def test_kernels_of_the_extractor_have_the_published_sizes(tiny: DataSet, preset: str, parameters: int) -> None:
    """Public code: separable 3 -> 4 -> 24 (227 with its normalisation); paper: separable 3 -> 24 -> 24."""
    device = device_model(recipe(preset), tiny, folded=False)
    kernels = [layer.kernel for layer in device.layers if layer.name.startswith("extract") and hasattr(layer, "kernel")]
    assert sum(int(kernel.shape.num_elements()) for kernel in kernels) == parameters


def test_an_epoch_on_a_slice_gives_an_image_that_fits_the_board(
    tmp_path: Path, tiny: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agilenn_training, "CALIBRATION_PICTURES", 16)
    options = TrainOptions("cifar10", "paper", epochs=1, out=tmp_path / "out", overrides=SLICE)
    folder = AgileNN().train(options, Silent())
    d = load_description(folder)
    assert (d.input_shape, d.scale_pictures) == ((96, 96, 3), True)
    assert d.channels + len(d.constant_channels) == 19  # one that 16 pictures leave constant is not sent
    assert AgileNN().server(folder).symbols == 32 * 32 * d.channels
    found = footprint(build(folder, "stm32f746"), flash=FLASH, ram=RAM)
    assert found.flash_bytes < 256 << 10
    assert found.ram_bytes < RAM[1] - (8 << 10)


def test_sizes_must_go_together(tiny: DataSet) -> None:
    with pytest.raises(BenchError, match=r"input_size is 96, reference\.input_size 0, and both"):
        AgileNN().train(TrainOptions("cifar10", "paper", overrides={"reference.input_size": "0"}), Silent())
