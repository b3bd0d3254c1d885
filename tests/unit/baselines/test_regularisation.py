"""What keeps a training from learning by heart: flips where allowed, a grey square, mixed pictures, averages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
from keras import ops

from baselines.data import DataSet, registry
from baselines.recipes.recipe import Recipe, ReferenceRecipe
from baselines.training.augment import GREY, PAD, Augmentation, augment
from baselines.training.descent import DescentJob, optimiser_of
from baselines.training.supervised import Samples, SupervisedJob, cross_entropy

SEED = np.array([3, 5], np.int32)


def marked() -> np.ndarray:
    """Pictures whose columns rise from left to right, so that a mirror image falls."""
    return np.broadcast_to(np.arange(1, 17, dtype=np.uint8)[None, None, :, None], (64, 16, 16, 3)).copy()


def falling(pictures: np.ndarray) -> int:
    middle = pictures[:, 8, PAD : 16 - PAD, 0].astype(int)
    return int((np.diff(middle, axis=1) < 0).any(axis=1).sum())


def test_without_flips_no_picture_is_mirrored() -> None:
    assert 16 < falling(np.asarray(augment(marked(), SEED))) < 48
    assert falling(np.asarray(augment(marked(), SEED, Augmentation(flips=False)))) == 0


def test_digits_are_never_mirrored_whatever_the_recipe() -> None:
    entries = registry._entries()
    assert {name: entry.flips for name, entry in entries.items()} == {
        "cifar10": True,
        "cifar100": True,
        "svhn": False,
        "imagenet200": True,
    }
    digits = DataSet("d", marked(), np.zeros(64, np.uint8), marked(), np.zeros(64, np.uint8), ("a", "b"), "", False)
    views = Samples.by(Recipe(epochs=1, validation=8), digits).views(marked(), SEED)
    assert falling(np.asarray(views * 255)) == 0


def test_a_grey_square_lies_on_every_picture() -> None:
    plain = np.asarray(augment(marked(), SEED))
    cut = np.asarray(augment(marked(), SEED, Augmentation(cutout=6)))
    changed = (cut != plain).any(axis=-1)
    assert (cut[changed] == GREY).all()
    sizes = changed.sum(axis=(1, 2))
    assert sizes.max() == 36
    assert sizes.min() >= 9  # a centre on the corner leaves a quarter


class Line(DescentJob):
    """Moves one number down a slope of 1: each step subtracts the rate."""

    def __init__(self, average: float) -> None:
        self.x = keras.Variable(0.0)
        recipe = Recipe(epochs=1, average=average, weight_decay=0.0, optimiser="sgd")
        super().__init__(_Nothing(), optimiser_of(recipe, [self.x]))  # type: ignore[arg-type]

    def trainable(self) -> list[Any]:
        return [self.x]

    def losses(self, x: Any, y: Any, *more: Any) -> dict[str, Any]:
        return {"loss": ops.convert_to_tensor(self.x) * 1.0}

    def evaluate(self) -> dict[str, float]:
        return {"val_accuracy": float(self.x)}

    def variables(self) -> list[Any]:
        return [self.x, *self._optimiser.variables]


class _Nothing:
    def at(self, indices: Any) -> Any:
        return np.zeros((1, 4, 4, 3), np.uint8), np.zeros(1, np.int32)

    def views(self, pictures: Any, seed: Any) -> Any:
        return pictures


def test_the_average_of_the_weights_is_what_is_judged_and_kept() -> None:
    job, values = Line(0.5), []
    for step in range(4):
        job.step(np.zeros(1, np.int32), np.array([0, step], np.int32), 0.1)
        values.append(float(job.x))
    average = values[0]
    for value in values[1:]:
        average = 0.5 * average + 0.5 * value
    last = float(job.x)
    assert job.assess()["val_accuracy"] == pytest.approx(average, abs=1e-5)
    assert float(job.x) == last  # training goes on from where it was
    job.settle()
    assert float(job.x) == pytest.approx(average, abs=1e-5)
    plain = Line(0.0)
    plain.step(np.zeros(1, np.int32), SEED, 0.1)
    before = float(plain.x)
    plain.settle()
    assert float(plain.x) == before


def test_mixed_pictures_have_both_labels(tiny: DataSet) -> None:
    recipe = ReferenceRecipe(epochs=1, batch=8, validation=32, mixup=0.4)
    picture = keras.Input((32, 32, 3))
    model = keras.Model(picture, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(picture)))
    job = SupervisedJob(model, Samples.by(recipe, tiny), recipe=recipe, mixup=recipe.mixup)
    (share,) = job.more(np.arange(8, dtype=np.int32), SEED)
    assert 0 <= share <= 1
    assert job.more(np.arange(8, dtype=np.int32), SEED) == (share,)
    x, y = np.random.default_rng(0).random((8, 32, 32, 3)).astype(np.float32), np.arange(8) % 4
    mixed = share * x + (1 - share) * x[::-1]
    logits = model(mixed)
    wanted = share * cross_entropy(y, logits) + (1 - share) * cross_entropy(y[::-1].copy(), logits)
    assert float(job.losses(ops.convert_to_tensor(x), y, share)["loss"]) == pytest.approx(float(wanted), rel=1e-5)
    with pytest.raises(ValueError, match="mixed"):
        SupervisedJob(model, Samples.by(recipe, tiny), recipe=recipe, mixup=0.4, teacher_logits=np.zeros((8, 4)))
