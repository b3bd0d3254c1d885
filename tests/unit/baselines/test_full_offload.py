"""Full offloading's variants: one network for several folders, pictures scaled up before they are sent, JPEG."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet, resized
from baselines.recipes.loading import RECIPES, load_recipe
from baselines.recipes.recipe import FullOffloadRecipe
from baselines.schemes.full_offload import FullOffload, FullOffloadJpeg
from baselines.schemes.full_offload.reduced import Reduced
from baselines.training.interface import Silent
from harness.contracts import tomlout
from harness.contracts.description import SERVER, DeviceDescription, load_description, server_file, weights_hash
from harness.contracts.errors import BenchError
from harness.training.options import TrainOptions

pytestmark = pytest.mark.slow

TINY = {
    "reference.epochs": "0",
    "reference.batch": "16",
    "reference.validation": "32",
    "reference.widths": "[8, 8]",
}


def options(out: Path, profile: str = "compact", **overrides: str) -> TrainOptions:
    return TrainOptions(dataset="cifar10", profile=profile, out=out, overrides=TINY | overrides)


def test_jpeg_shares_the_network_beside_it(tmp_path: Path, tiny: DataSet) -> None:
    plain = FullOffload().train(options(tmp_path / "full_offload"), Silent())
    folder = FullOffloadJpeg().train(options(tmp_path / "full_offload_jpeg", jpeg_quality="60"), Silent())
    d = load_description(folder)
    assert (d.scheme, d.codec, d.jpeg_quality, d.quality, d.server_of) == (
        "full_offload_jpeg", "jpeg", 60, 60 | 128, "../full_offload",
    )  # fmt: skip
    assert not (folder / SERVER).exists()
    assert server_file(folder, d).samefile(plain / SERVER)
    assert d.server_sha256 == hashlib.sha256((plain / SERVER).read_bytes()).hexdigest()
    pictures = tiny.x_test.reshape(len(tiny.x_test), -1)
    assert np.array_equal(
        FullOffloadJpeg().server(folder).infer(pictures[0]), FullOffload().server(plain).infer(pictures[0])
    )
    assert weights_hash(folder) != weights_hash(plain)

    (plain / SERVER).write_bytes((plain / SERVER).read_bytes() + b"\0")
    with pytest.raises(BenchError, match="made for another") as told:
        load_description(folder)
    assert "harness.train full_offload_jpeg" in str(told.value)
    (plain / SERVER).unlink()
    with pytest.raises(BenchError, match="can't be read"):
        load_description(folder)


def test_without_a_network_beside_it_jpeg_keeps_its_own(tmp_path: Path, tiny: DataSet) -> None:
    folder = FullOffloadJpeg().train(options(tmp_path / "alone"), Silent())
    d = load_description(folder)
    assert (d.server_of, d.server_sha256) == ("", "")
    assert (folder / SERVER).exists()


def test_upscaled_pictures_lose_nothing_on_their_way(tmp_path: Path, tiny: DataSet) -> None:
    plain = FullOffload().train(options(tmp_path / "cifar10-compact" / "full_offload"), Silent())
    large = FullOffload().train(options(tmp_path / "cifar10-upscaled" / "full_offload", "upscaled"), Silent())
    d = load_description(large)
    assert (d.input_shape, d.scale_pictures, d.codec) == ((96, 96, 3), True, "lzw")
    assert d.server_of == "../../cifar10-compact/full_offload"
    server = FullOffload().server(large)
    assert server.symbols == 96 * 96 * 3
    server.warm_up()
    scaled = resized(tiny.x_test, 96).reshape(len(tiny.x_test), -1)
    native = tiny.x_test.reshape(len(tiny.x_test), -1)
    assert np.array_equal(server.infer_batch(scaled), FullOffload().server(plain).infer_batch(native))
    assert np.array_equal(server.infer(scaled[3]), FullOffload().server(plain).infer(native[3]))


def test_a_size_with_no_middle_pixel_is_refused(tmp_path: Path, tiny: DataSet) -> None:
    for size in ("64", "100"):
        with pytest.raises(BenchError, match="not an odd multiple"):
            FullOffload().train(options(tmp_path / "out", upscaled=size), Silent())


def test_a_server_that_points_elsewhere_must_be_of_the_same_data(tmp_path: Path, tiny: DataSet) -> None:
    plain = FullOffload().train(options(tmp_path / "full_offload"), Silent())
    text = (plain / "description.toml").read_text(encoding="utf-8")
    (plain / "description.toml").write_text(text.replace('"cifar10"', '"cifar100"'), encoding="utf-8")
    with pytest.raises(BenchError, match="not the network for cifar10"):
        FullOffloadJpeg().train(options(tmp_path / "full_offload_jpeg"), Silent())


@pytest.mark.parametrize("of", ["full_offload", "/etc", "../../../x", "../a/../b", "..", "../A b", ""])
def test_only_folders_beside_it_may_be_pointed_at(tmp_path: Path, of: str) -> None:
    d = DeviceDescription(
        scheme="full_offload", dataset="cifar10", profile="compact", classes=10, input_shape=(32, 32, 3), graph=False,
        offload="image", features_output=-1, local_logits_output=-1, alpha=0.0,
    )  # fmt: skip
    tree = d.model_dump(mode="json") | {"server_of": of, "server_sha256": "0" * 64}
    (tmp_path / "description.toml").write_text(tomlout.dumps(tree), encoding="utf-8")
    with pytest.raises(BenchError, match="server_of"):
        load_description(tmp_path)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("full_offload*.toml")), ids=lambda p: p.stem)
def test_shipped_recipes(path: Path) -> None:
    scheme, profile = path.stem.split("-")
    recipe = load_recipe(FullOffloadRecipe, scheme, "cifar10", profile)
    assert (recipe.codec == "jpeg") == scheme.endswith("jpeg")


def test_reduced_takes_the_middle_pixels() -> None:
    class Echo:
        classes, symbols = 2, 12

        def warm_up(self) -> None:
            pass

        def infer(self, symbols: np.ndarray) -> np.ndarray:
            return symbols.astype(np.float32)

        def infer_batch(self, symbols: np.ndarray) -> np.ndarray:
            return symbols.astype(np.float32)

    picture = np.arange(10 * 10 * 3, dtype=np.int64).reshape(10, 10, 3) % 251
    found = Reduced(Echo(), (10, 10, 3), 5).infer(picture.astype(np.uint8).reshape(-1))
    assert np.array_equal(found, picture[2::5, 2::5].reshape(-1))
