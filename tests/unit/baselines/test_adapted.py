"""A server network trained on for JPEGs: which pictures it sees, what it is exported as, what does not go together."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet
from baselines.export.pictures import through_jpeg
from baselines.recipes.loading import load_recipe
from baselines.recipes.recipe import Adaptation, FullOffloadRecipe, ReferenceRecipe
from baselines.schemes.full_offload import FullOffloadJpeg
from baselines.schemes.hierarchical import Hierarchical
from baselines.training.adapted import JpegSamples
from baselines.training.interface import Silent
from baselines.training.supervised import Samples
from harness.contracts.description import load_description
from harness.contracts.errors import BenchError
from harness.training.options import TrainOptions

REFERENCE = {
    "reference.file": "",
    "reference.epochs": "1",
    "reference.batch": "16",
    "reference.validation": "32",
    "reference.widths": "[8]",
    "reference.precision": "float32",
}
ADAPT = {"adapt.epochs": "1", "adapt.qualities": "[30, 60]"}


def test_pictures_come_at_every_quality_in_turn_and_as_they_are(tiny: DataSet) -> None:
    recipe, adapt = ReferenceRecipe(epochs=1, validation=32), Adaptation(epochs=1, qualities=(30, 60))
    samples, usual = JpegSamples(recipe, tiny, adapt, quality=45, chroma="444"), Samples.by(recipe, tiny)
    indices = np.array([4, 9, 2, 7], dtype=np.int32)
    pictures, labels = samples.at(indices)
    plain, same = usual.at(indices)
    assert np.array_equal(labels, same)
    for i, quality in enumerate((30, 60, None, 30)):  # the first index, 4, says where the turn begins: 4 mod 3 = 1
        one = plain[i : i + 1]
        assert np.array_equal(pictures[i], (one if quality is None else through_jpeg(one, quality, "444"))[0])
    assert np.array_equal(samples.x_validation, through_jpeg(usual.x_validation, 45, "444"))


@pytest.mark.slow
def test_the_adapted_network_is_the_artefacts_own(tmp_path: Path, tiny: DataSet) -> None:
    options = TrainOptions("cifar10", out=tmp_path / "out", overrides=REFERENCE | ADAPT, preset="adapted")
    folder = FullOffloadJpeg().train(options, Silent())
    assert load_description(folder).server_of == ""
    (reference,) = (tmp_path / "cache" / "training").glob("reference-*/reference.npz")
    with np.load(reference) as before, np.load(folder / "server.npz") as after:
        assert before.files == after.files
        assert not np.array_equal(before["stage0_conv/kernel"], after["stage0_conv/kernel"])
    training = tomllib.loads((folder / "summary.toml").read_text())["training"]
    assert {"val_accuracy", "val_accuracy_before", "flop", "cpu_s"} <= training.keys()


@pytest.mark.slow
def test_hierarchical_has_it_too(tmp_path: Path, tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines.schemes.hierarchical.training.CALIBRATION_PICTURES", 16)
    over = REFERENCE | ADAPT | {"batch": "16", "validation": "32", "precision": "float32"}
    over |= {"blocks": '["conv8/2", "conv8/2"]'}
    folder = Hierarchical().train(TrainOptions("cifar10", epochs=1, out=tmp_path / "out", overrides=over), Silent())
    (adapted,) = (tmp_path / "cache" / "training").glob("adapted-*/server.npz")
    assert (folder / "server.npz").read_bytes() == adapted.read_bytes()


@pytest.mark.parametrize(
    "changes",
    [{"adapt.epochs": "1"}, {"adapt.epochs": "1", "server_of": "", "codec": "rice"}, {"adapt.qualities": "[]"}],
)
def test_what_does_not_go_together_is_one_line(changes: dict[str, str]) -> None:
    with pytest.raises(BenchError) as error:
        load_recipe(FullOffloadRecipe, "full_offload_jpeg", "cifar10", "compact", overrides=changes)
    assert "\n" not in str(error.value)
