"""The `mid` profile: Tiny-ImageNet's 64x64 pictures, the 16x16 maps of `compact`, and a device half on the board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet
from baselines.networks.store import NetworkSpec
from baselines.recipes.loading import RECIPES, load_recipe
from baselines.recipes.recipe import AgileNNRecipe, LocalOnlyRecipe, ReferenceRecipe
from baselines.schemes.agilenn.costs import untrained_graph
from baselines.schemes.agilenn.networks import device_model, map_size, reference_body, remote_spec
from baselines.training.interface import Silent
from baselines.training.supervised import Samples
from harness.contracts.description import load_description
from harness.contracts.errors import BenchError
from harness.host import registry
from harness.training.options import TrainOptions
from testbeds.firmware.generator import generate
from testbeds.firmware.toolchain.build import build, read_record
from testbeds.firmware.toolchain.footprint import footprint

FLASH, RAM = (0x0800_0000, 1 << 20), (0x2000_0000, 320 << 10)
SCHEMES = sorted(path.stem.removesuffix("-mid") for path in RECIPES.glob("*-mid.toml"))
REFERENCE = {
    "reference.epochs": "0",
    "reference.batch": "16",
    "reference.validation": "16",
    "reference.max_train": "32",
    "reference.widths": "[4, 8]",
}
OWN = {"batch": "16", "validation": "16", "max_train": "32"}


def pictures_64(classes: int = 200) -> DataSet:
    """Noise of the size and the number of classes that Tiny-ImageNet has."""
    rng = np.random.default_rng(5)

    def split(n: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.integers(0, 256, (n, 64, 64, 3), dtype=np.uint8), (np.arange(n) % classes).astype(np.uint8)

    names = tuple(f"n{i}" for i in range(classes))
    return DataSet("imagenet200", *split(64), *split(16), names, "noise")


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """Those pictures instead of every data set, and caches in a folder of this test."""
    data = pictures_64()
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("baselines.training.pictures.load_dataset", lambda *_: data)
    return data


def recipe(scheme: str = "agilenn", **changes: str) -> AgileNNRecipe:
    return load_recipe(AgileNNRecipe, scheme, "imagenet200", "mid", overrides=changes)


def test_every_scheme_has_a_recipe_of_the_profile() -> None:
    assert registry.scheme_names() == SCHEMES


@pytest.mark.parametrize("scheme", ["agilenn", "agilenn_r"])
def test_four_times_the_picture_is_sent_in_the_symbols_of_compact(scheme: str) -> None:
    data, found = pictures_64(), recipe(scheme)
    compact = load_recipe(AgileNNRecipe, scheme, "cifar10", "compact")
    device = device_model(found, data, folded=True)
    features, logits = device.output_shape
    assert (device.input_shape[1:], features[1:], logits[1:]) == ((64, 64, 3), (16, 16, 24), (200,))
    assert remote_spec(found, data) == NetworkSpec("residual64_body", (16, 16, 19), 200, (64, 128, 256))
    assert found.network.channels - found.network.k == compact.network.channels - compact.network.k
    assert (*map_size(found, data), 24) == (16, 16, 24)


@pytest.mark.slow
def test_the_extractors_map_takes_the_place_of_the_stems_as_it_is() -> None:
    data, found = pictures_64(), recipe(**{"network.remote_widths": "[4]", "reference.widths": "[4]"})
    spec = NetworkSpec("residual64_picture", (64, 64, 3), 200, (4,))
    reference = spec.build(folded=False)
    body = reference_body(spec, reference, found, data)
    assert (body.name, body.input_shape[1:]) == ("body", (16, 16, 24))  # not wrapped: nothing is made larger first
    x = np.random.default_rng(0).uniform(0, 1, (2, 64, 64, 3)).astype(np.float32)
    import keras  # noqa: PLC0415 - beside TensorFlow

    behind_stem = keras.Model(reference.input, reference.get_layer("stem_relu").output)(x)
    assert np.asarray(body(behind_stem)) == pytest.approx(np.asarray(reference(x, training=False)), abs=1e-4)


def test_pictures_of_the_recipes_size_are_trained_on_as_they_are_and_others_are_scaled(tiny: DataSet) -> None:
    settings = ReferenceRecipe(epochs=0, validation=16, input_size=64, flips=False)
    data = pictures_64()
    native = Samples.by(settings, data)
    assert native.as_taken(data.x_test) is data.x_test
    assert Samples.by(settings, tiny).first(2).shape == (2, 64, 64, 3)


@pytest.mark.parametrize("scheme", ["full_offload_jpeg", "hierarchical"])
def test_a_server_adapts_to_jpeg_only_where_pictures_are_sent_at_their_own_size(scheme: str, tiny: DataSet) -> None:
    options = TrainOptions(
        "cifar10", "mid", preset="adapted", overrides=REFERENCE | (OWN if scheme == "hierarchical" else {})
    )
    with pytest.raises(BenchError, match=r"those of cifar10 are 32x32, and input_size is 64: --set adapt\.epochs=0"):
        registry.scheme(scheme).train(options, Silent())


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["agilenn", "agilenn_r"])
def test_the_extractor_costs_little_more_than_that_of_compact(scheme: str, tmp_path: Path) -> None:
    graph, symbols = untrained_graph(recipe(scheme), pictures_64())
    (tmp_path / "device.tflite").write_bytes(graph)
    report = generate(tmp_path / "device.tflite", tmp_path / "graph")
    assert (symbols, report.macs, report.arena_bytes) == (16 * 16 * 19, 1_110_912, 36_864)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "sent", "macs", "arena_bytes", "more"),
    [
        ("deepcod", (16, "context"), 196_608, 16_384, {"decoder": "[4, 4]"}),
        ("hierarchical", (3, "jpeg"), 6_765_312, 24_576, {}),
        ("partition", (40, "shuffle"), 5_198_592, 43_008, {"splits": "[4]"}),
    ],
)
def test_rivals_are_exported_at_their_size(
    scheme: str,
    sent: tuple[int, str],
    macs: int,
    arena_bytes: int,
    more: dict[str, str],
    tmp_path: Path,
    large: DataSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"baselines.schemes.{scheme}.training.CALIBRATION_PICTURES", 16)
    options = TrainOptions("imagenet200", "mid", epochs=0, out=tmp_path / "out", overrides=REFERENCE | OWN | more)
    folder = registry.scheme(scheme).train(options, Silent())
    d = load_description(folder)
    assert (d.input_shape, d.classes, d.channels, d.codec) == ((64, 64, 3), 200, *sent)
    report = generate(folder / "device.tflite", tmp_path / "graph")
    assert (report.macs, report.arena_bytes) == (macs, arena_bytes)


@pytest.mark.slow
def test_the_widest_device_half_fits_the_board(tmp_path: Path, large: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is local only's: of all schemes it takes the most flash and the most RAM."""
    over = REFERENCE | OWN | {"distillation.weight": "0"}
    options = TrainOptions("imagenet200", "mid", epochs=0, out=tmp_path / "out", overrides=over)
    image = build(registry.scheme("local_only").train(options, Silent()), "stm32f746")
    found = footprint(image, flash=FLASH, ram=RAM)
    assert found.flash_bytes < 768 << 10
    assert found.ram_bytes < 256 << 10
    assert sum(layer["macs"] for layer in read_record(image)["graph"]["layers"]) < 32e6


def test_agilenn_r_and_presets_go_on_from_weights_of_their_own_profile() -> None:
    found = recipe("agilenn_r")
    assert (found.go_on_from, found.reference.file) == (
        "{weights}/{dataset}-mid/agilenn",
        "{weights}/{dataset}-mid/full_offload/server.npz",
    )
    longer = load_recipe(LocalOnlyRecipe, "local_only", "imagenet200", "mid", preset="longer")
    assert longer.go_on_from == "{weights}/{dataset}-mid/local_only"
