"""Trains one network on pictures with labels, with a teacher if there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from baselines.data import DataSet, Labels, resized, train_validation_split
from baselines.recipes.recipe import Recipe
from baselines.training import backend
from baselines.training.augment import USUAL, Augmentation, augment, to_unit
from baselines.training.descent import DescentJob, optimiser_of
from baselines.training.loop import in_batches

MIXUP_STREAM = 11  # keeps its draws apart from the others of a step
VALIDATION_SPLIT_SEED = 0  # one split for every training, so that choices made on one never see another's training


def picture_shape(recipe: Recipe, data: DataSet) -> tuple[int, int, int]:
    """Return [h, w, 3] of the pictures that the networks take."""
    size = recipe.input_size
    height, width = (size, size) if size else (int(n) for n in data.x_train.shape[1:3])
    return height, width, 3


def cross_entropy(labels: Any, logits: Any, smoothing: float = 0.0) -> Any:
    """Return the mean cross-entropy of labels int [n] and logits float32 [n, classes]."""
    classes = logits.shape[-1]
    target = ops.one_hot(labels, classes) * (1.0 - smoothing) + smoothing / classes
    return ops.mean(ops.categorical_crossentropy(target, logits, from_logits=True))


def distillation(teacher_logits: Any, logits: Any, temperature: float) -> Any:
    """Return the cross-entropy of softened outputs (Hinton et al. 2015).

    It is multiplied by T^2, so that gradients keep their size.
    """
    target = ops.softmax(teacher_logits / temperature)
    soft = ops.categorical_crossentropy(target, logits / temperature, from_logits=True)
    return ops.mean(soft) * temperature**2


def hits(logits: Any, labels: Any) -> Any:
    """Return 1.0 where the largest of the logits [n, classes] is the label, else 0.0: float32 [n]."""
    return ops.cast(ops.argmax(logits, axis=-1) == labels, "float32")


class Samples:
    """Holds training and validation pictures of a data set.

    `size` > 0 scales pictures of another size to that height and width: training pictures after augmentation, the
    others once.
    """

    def __init__(
        self, data: DataSet, *, validation: int, limit: int = 0, size: int = 0, views: Augmentation = USUAL
    ) -> None:
        x, y, self.x_validation, self.y_validation = train_validation_split(
            data.x_train, data.y_train, validation=validation, seed=VALIDATION_SPLIT_SEED
        )
        if limit:
            x, y = x[:limit], y[:limit]
        self.y = y
        self._size = 0 if x.shape[1:3] == (size, size) else size
        self._native, self._views = x, views
        self.x_validation = resized(self.x_validation, size)

    @classmethod
    def by(cls, recipe: Recipe, data: DataSet, *, whole: bool = False) -> Samples:
        """Take what `recipe` asks for; with `whole`, all training pictures whatever its `max_train`."""
        views = Augmentation(flips=recipe.flips and data.flips, cutout=recipe.cutout)
        limit = 0 if whole else recipe.max_train
        return cls(data, validation=recipe.validation, limit=limit, size=recipe.input_size, views=views)

    def first(self, count: int) -> npt.NDArray[np.uint8]:
        """Return the first `count` training pictures as the networks take them, not augmented."""
        return resized(self._native[:count], self._size)

    def as_taken(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return other pictures of the data set at the size that the networks take."""
        return resized(pictures, self._size)

    def __len__(self) -> int:
        return len(self.y)

    def at(self, indices: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        """Return uint8 pictures and int32 labels of the training samples `indices`, as they are in the data set."""
        return self._native[indices], self.y[indices].astype(np.int32)

    def views(self, pictures: Any, seed: Any) -> Any:
        """Return augmented float32 pictures in 0..1 of a batch of uint8 ones, at the size that the networks take."""
        x = to_unit(augment(pictures, seed, self._views))
        return ops.image.resize(x, (self._size, self._size), interpolation="bilinear") if self._size else x


def accuracy(logits: npt.NDArray[np.float32], labels: Labels) -> float:
    """Return the share of rows of `logits` [n, classes] whose largest entry is the label."""
    return float(np.mean(np.argmax(logits, axis=-1) == labels))


def logits_of(model: Any, samples: Samples) -> npt.NDArray[np.float32]:
    """Return float32 logits [samples, classes] of the training pictures as they are."""
    forward = backend.compiled(lambda x: model(to_unit(x), training=False))
    return in_batches(forward, samples.first(len(samples)))


class SupervisedJob(DescentJob):
    """Trains by cross-entropy (and distillation, weight `distil`) on augmented pictures.

    The teacher is a network that sees the same views, or its logits [samples, classes] of the pictures as they are.
    `mixup` (Zhang et al. 2018) draws the share of the first picture from a symmetric beta distribution, once for each
    batch. Fixed logits would contradict the mixed pictures, so the two together are refused.
    """

    def __init__(
        self,
        model: Any,
        samples: Samples,
        *,
        recipe: Recipe,
        teacher: Any = None,
        distil: float = 0.0,
        distil_temperature: float = 4.0,
        teacher_logits: npt.NDArray[np.float32] | None = None,
        mixup: float = 0.0,
    ) -> None:
        super().__init__(samples, optimiser_of(recipe, model.trainable_variables))
        if mixup and teacher_logits is not None:
            raise ValueError("logits of pictures as they are say nothing of mixed ones")
        self.model = model
        self._smoothing = recipe.smoothing
        self._teacher = teacher if distil > 0 else None
        self._fixed = teacher_logits if distil > 0 else None
        self._distil = distil
        self._mixup = mixup
        self._temperature = distil_temperature
        self._forward = backend.compiled(lambda x: self.model(to_unit(x), training=False))

    def trainable(self) -> list[Any]:
        variables: list[Any] = self.model.trainable_variables
        return variables

    def more(self, indices: npt.NDArray[np.int32], seed: npt.NDArray[np.int32]) -> tuple[npt.NDArray[Any], ...]:
        fixed = () if self._fixed is None else (self._fixed[indices],)
        if not self._mixup:
            return fixed
        share = np.random.default_rng([*seed.tolist(), MIXUP_STREAM]).beta(self._mixup, self._mixup)
        return (*fixed, np.float32(share))

    def losses(self, x: Any, y: Any, *more: Any) -> dict[str, Any]:
        share = more[-1] if self._mixup else None
        if share is not None:
            # The batch is mixed with its own reverse, which is as good as any partner in a shuffled batch.
            x = share * x + (1.0 - share) * ops.flip(x, axis=0)
        teacher_logits = more[0] if self._fixed is not None else None
        if self._teacher is not None and self._fixed is None:
            teacher_logits = self._teacher(x, training=False)
        logits = self.model(x, training=True)
        loss = cross_entropy(y, logits, self._smoothing)
        if share is not None:
            loss = share * loss + (1.0 - share) * cross_entropy(ops.flip(y, axis=0), logits, self._smoothing)
        if teacher_logits is not None:
            soft = distillation(teacher_logits, logits, self._temperature)
            loss = (1.0 - self._distil) * loss + self._distil * soft
        return {"loss": loss, "accuracy": ops.mean(hits(logits, y))}

    def evaluate(self) -> dict[str, float]:
        logits = in_batches(self._forward, self._samples.x_validation)
        return {"val_accuracy": round(accuracy(logits, self._samples.y_validation), 5)}

    def variables(self) -> list[Any]:
        return [*self.model.variables, *self._optimiser.variables]
