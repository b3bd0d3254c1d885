"""The loss on bytes: what the context codec takes of hard symbols, a slope for soft ones, a training with exits."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
from keras import ops

from baselines.data import DataSet
from baselines.export import context_tables
from baselines.recipes.hashing import recipe_hash
from baselines.recipes.loading import load_recipe
from baselines.recipes.recipe import AgileNNRecipe, Rate
from baselines.schemes.agilenn import AgileNNR, codebook
from baselines.schemes.agilenn.rate import RateTerm
from baselines.training import backend
from baselines.training.interface import Silent
from harness.contracts.description import load_description
from harness.contracts.errors import BenchError
from harness.training.options import TrainOptions

SHAPE, CENTROIDS = (6, 5, 3), np.array([0.5, 2.0, 4.0, 5.5], dtype=np.float32)


def maps(n: int = 40) -> np.ndarray:
    """Symbols of which each often repeats the one to the left."""
    rng = np.random.default_rng(4)
    found = rng.integers(0, 4, (n, *SHAPE))
    for column in range(1, SHAPE[1]):
        same = rng.random((n, SHAPE[0], SHAPE[2])) < 0.7
        found[:, :, column] = np.where(same, found[:, :, column - 1], found[:, :, column])
    return found.astype(np.uint8)


def test_hard_symbols_cost_what_the_codec_spends_on_them() -> None:
    symbols = maps()
    term = RateTerm(Rate(per_byte=1.0), SHAPE, 4, sharpness=1e4)
    parameters = codebook.to_parameters(CENTROIDS)
    features = ops.convert_to_tensor(CENTROIDS[symbols])
    # Until tables are learnt, every symbol is as likely as any: two bits.
    assert float(term.bytes_of(features, parameters)) == pytest.approx(np.prod(SHAPE) * 2 / 8, rel=1e-4)
    term.learn(symbols)
    tables = context_tables.learn_tables(symbols.reshape(len(symbols), -1), 4, SHAPE)
    counts = context_tables.context_counts(symbols.reshape(len(symbols), -1), 4, SHAPE)
    spent = context_tables.bits_per_picture(tables, counts, len(symbols)) / 8
    assert float(term.bytes_of(features, parameters)) == pytest.approx(spent, rel=1e-3)
    assert spent < 0.8 * np.prod(SHAPE) * 2 / 8


def test_the_codebooks_order_does_not_matter() -> None:
    term = RateTerm(Rate(per_byte=1.0), SHAPE, 4, sharpness=8.0)
    term.learn(maps())
    features = ops.convert_to_tensor(np.random.default_rng(0).random((8, *SHAPE)).astype(np.float32) * 6)
    ascending = codebook.to_parameters(CENTROIDS)
    here, there = (float(term.bytes_of(features, p)) for p in (ascending, ascending[::-1].copy()))
    assert here == pytest.approx(there, rel=1e-5)


def test_features_slide_towards_what_their_neighbours_foretell() -> None:
    symbols = np.zeros((20, *SHAPE), np.uint8)
    symbols[0, 0, 0, 0] = 1
    term = RateTerm(Rate(per_byte=1.0), SHAPE, 4, sharpness=8.0)
    term.learn(symbols)
    features = keras.Variable(np.full((1, *SHAPE), 1.3, np.float32))  # just above the middle of symbols 0 and 1

    def loss() -> dict[str, object]:
        return {"loss": term.bytes_of(backend.value_of(features), codebook.to_parameters(CENTROIDS))}

    _, (slope,) = backend.gradients(loss, [features])
    assert (np.asarray(slope) > 0).all()


def test_features_that_the_codec_does_not_take_are_refused_before_training() -> None:
    with pytest.raises(BenchError, match="2 to 16 symbols"):
        RateTerm(Rate(per_byte=1.0), SHAPE, 17, sharpness=8.0)


def test_a_recipe_without_the_loss_is_the_recipe_it_was() -> None:
    plain = load_recipe(AgileNNRecipe, "agilenn", "cifar10", "compact")
    other = load_recipe(AgileNNRecipe, "agilenn", "cifar10", "compact", overrides={"rate.per_byte": "0.001"})
    assert recipe_hash(plain) != recipe_hash(other)
    assert recipe_hash(plain) == "bf7429ff8e93401a"


@pytest.mark.slow
def test_a_training_of_a_moment_ends_in_an_artefact_with_exits(tmp_path: Path, tiny: DataSet) -> None:
    over = {
        "go_on_from": "",
        "reference.file": "",
        "batch": "16",
        "validation": "32",
        "finish_epochs": "1",
        "exit_loss": "0.9",
        "reference.epochs": "1",
        "reference.batch": "16",
        "reference.validation": "32",
        "reference.widths": "[8]",
        "network.remote_widths": "[8]",
        "network.local_widths": "[4]",
        "preselect.samples": "32",
        "codebook.centroids": "4",
        "precision": "float32",
        "rate.every": "4",
        "rate.pictures": "16",
        "rate.per_byte": "0.01",
    }
    options = TrainOptions("cifar10", epochs=1, out=tmp_path / "out", overrides=over)
    folder = AgileNNR().train(options, Silent())
    description = load_description(folder)
    assert (description.scheme, description.codec) == ("agilenn_r", "context")
    assert description.exit_threshold <= 1.0
    (row,) = csv.DictReader((folder / "history.csv").read_text().splitlines())
    assert float(row["bytes"]) > 0
    assert "skewness" not in row
