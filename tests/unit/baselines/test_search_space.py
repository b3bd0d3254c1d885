"""The networks that local_only may be: notation, samples and neighbours."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet
from baselines.networks.stages import Stage, parse_stage
from baselines.recipes.recipe import LocalOnlyRecipe, ReferenceRecipe
from baselines.schemes.local_only.search import LocalOnlySpace
from baselines.schemes.local_only.training import network
from baselines.training.interface import Silent
from harness.training.options import parse_overrides

pytestmark = pytest.mark.slow


def recipe(**changes: object) -> LocalOnlyRecipe:
    base = {"epochs": 1, "batch": 16, "validation": 32, "reference": ReferenceRecipe(epochs=1)}
    return LocalOnlyRecipe.model_validate(base | changes)


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("conv 32", Stage("conv", 32, 1, 0)),
        ("conv 32 s2 d1", Stage("conv", 32, 2, 1)),
        ("inverted 48", Stage("inverted", 48, 1, 1, 4)),
        ("inverted 48 s2 d3 e6", Stage("inverted", 48, 2, 3, 6)),
    ],
)
def test_notation(text: str, stage: Stage) -> None:
    assert parse_stage(text) == stage
    assert parse_stage(str(stage)) == stage


@pytest.mark.parametrize(
    "text", ["", "conv", "conv 0", "conv 8 s3", "conv 8 e4", "inverted 8 d0", "dense 8", "conv 8 8"]
)
def test_what_is_no_stage(text: str) -> None:
    with pytest.raises(ValueError, match="stage"):
        parse_stage(text)


def test_samples_and_neighbours_are_networks_that_end_at_4x4(tiny: DataSet) -> None:
    space = LocalOnlySpace(recipe(), tiny, Silent())
    rng = np.random.default_rng(0)
    candidates = [space.first(), *(space.sample(rng) for _ in range(8))]
    candidates += [space.mutate(candidate, rng) for candidate in candidates]
    assert len(set(candidates)) > 12
    for candidate in candidates:
        words = space.recipe_words(candidate)
        keys = {key: tomllib.loads(f"v = {value}")["v"] for key, value in parse_overrides(words[1::2]).items()}
        model = network(recipe(**keys), tiny, folded=True)
        last = next(layer for layer in model.layers if layer.name == "head_pool")
        assert last.input.shape[1:3] == (4, 4), candidate
        assert model.output_shape == (None, 4)


def test_a_trial_trains_with_a_teacher_that_looked_once(tiny: DataSet) -> None:
    space = LocalOnlySpace(
        recipe(
            distillation={"weight": 0.5, "once": True},
            reference=ReferenceRecipe(epochs=1, batch=16, validation=32, widths=(8, 8)),
            stages=("conv 8 s2", "inverted 8 s2 e2"),
        ),
        tiny,
        Silent(),
    )
    assert 0 <= space.accuracy(space.first()) <= 1
    assert space.graph(space.first())[4:8] == b"TFL3"
    assert LocalOnlySpace(recipe(), tiny, Silent()).key != space.key
