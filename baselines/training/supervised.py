"""Train one network on pictures with labels, with a teacher if there is one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from baselines.data import DataSet, resized, train_validation_split
from baselines.recipe import Recipe
from baselines.training.augment import augment, to_unit
from baselines.training.loop import Job, in_batches

VALIDATION_SPLIT_SEED = 0  # one split for every training, so that choices made on one never see another's training


def picture_shape(recipe: Recipe, data: DataSet) -> tuple[int, int, int]:
    """[h, w, 3] of the pictures that the networks take."""
    size = recipe.input_size
    height, width = (size, size) if size else (int(n) for n in data.x_train.shape[1:3])
    return height, width, 3


def sgd(weight_decay: float, variables: list[Any], clip_norm: float = 0.0, *, nesterov: bool = True) -> Any:
    """SGD with momentum 0.9 and decoupled weight decay on kernels only; `clip_norm` 0 = never clip."""
    optimiser = keras.optimizers.SGD(
        0.1, momentum=0.9, nesterov=nesterov, weight_decay=weight_decay or None, global_clipnorm=clip_norm or None
    )
    if weight_decay:
        optimiser.exclude_from_weight_decay(var_list=[v for v in variables if "kernel" not in v.name])
    optimiser.build(variables)
    return optimiser


def cross_entropy(labels: Any, logits: Any, smoothing: float = 0.0) -> Any:
    """Mean cross-entropy; labels int [n], logits float32 [n, classes]."""
    classes = logits.shape[-1]
    target = tf.one_hot(labels, classes) * (1.0 - smoothing) + smoothing / classes
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, logits))


def distillation(teacher_logits: Any, logits: Any, temperature: float) -> Any:
    """Hinton et al. 2015: cross-entropy of softened outputs, times T^2 so that gradients keep their size."""
    target = tf.nn.softmax(teacher_logits / temperature)
    soft = tf.nn.softmax_cross_entropy_with_logits(target, logits / temperature)
    return tf.reduce_mean(soft) * temperature**2


class Samples:
    """Training and validation pictures of a data set, the training ones as a tensor to gather from.

    `size` > 0 scales pictures to that height and width: training ones after augmentation, the others once.
    """

    def __init__(self, data: DataSet, *, validation: int, limit: int = 0, size: int = 0) -> None:
        x, y, self.x_validation, self.y_validation = train_validation_split(
            data.x_train, data.y_train, validation=validation, seed=VALIDATION_SPLIT_SEED
        )
        if limit:
            x, y = x[:limit], y[:limit]
        self.y = y
        self._native, self._size = x, size
        self.x_validation = resized(self.x_validation, size)
        self._x, self._y = tf.constant(x), tf.constant(y.astype(np.int32))

    def first(self, count: int) -> npt.NDArray[np.uint8]:
        """The first `count` training pictures as the networks take them, not augmented."""
        return resized(self._native[:count], self._size)

    def as_taken(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Other pictures of the data set at the size that the networks take."""
        return resized(pictures, self._size)

    def __len__(self) -> int:
        return len(self.y)

    def batch(self, indices: Any, seed: Any) -> tuple[Any, Any]:
        """Augmented float32 pictures in 0..1 and int32 labels of the training samples `indices`."""
        x = to_unit(augment(tf.gather(self._x, indices), seed))
        if self._size:
            x = tf.image.resize(x, (self._size, self._size))
        return x, tf.gather(self._y, indices)


def accuracy(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]) -> float:
    """Share of rows of `logits` [n, classes] whose largest entry is the label."""
    return float(np.mean(np.argmax(logits, axis=-1) == labels))


class SupervisedJob(Job):
    """Cross-entropy (and distillation, weight `distil`) on augmented pictures.

    The teacher is a network that sees the same views, or its logits [samples, classes] of the pictures as they are.
    """

    def __init__(
        self,
        model: Any,
        samples: Samples,
        *,
        weight_decay: float,
        smoothing: float = 0.0,
        teacher: Any = None,
        distil: float = 0.0,
        distil_temperature: float = 4.0,
        nesterov: bool = True,
        teacher_logits: npt.NDArray[np.float32] | None = None,
    ) -> None:
        self.model = model
        self._samples = samples
        self._optimiser = sgd(weight_decay, model.trainable_variables, nesterov=nesterov)
        self._smoothing = smoothing
        self._teacher = teacher if distil > 0 else None
        self._fixed = tf.constant(teacher_logits) if teacher_logits is not None and distil > 0 else None
        self._distil = distil
        self._temperature = distil_temperature
        self._compiled = tf.function(self._step)
        self._forward = tf.function(lambda x: self.model(to_unit(x), training=False))

    def _step(self, indices: Any, seed: Any) -> dict[str, Any]:
        x, y = self._samples.batch(indices, seed)
        teacher_logits = self._teacher(x, training=False) if self._teacher is not None else None
        if self._fixed is not None:
            teacher_logits = tf.gather(self._fixed, indices)
        with tf.GradientTape() as tape:
            logits = self.model(x, training=True)
            loss = cross_entropy(y, logits, self._smoothing)
            if teacher_logits is not None:
                soft = distillation(teacher_logits, logits, self._temperature)
                loss = (1.0 - self._distil) * loss + self._distil * soft
        variables = self.model.trainable_variables
        self._optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        hit = tf.reduce_mean(tf.cast(tf.argmax(logits, -1, tf.int32) == y, tf.float32))
        return {"loss": loss, "accuracy": hit}

    def step(self, indices: npt.NDArray[np.int32], seed: npt.NDArray[np.int32], learning_rate: float) -> dict[str, Any]:
        self._optimiser.learning_rate.assign(learning_rate)
        result: dict[str, Any] = self._compiled(tf.constant(indices), tf.constant(seed))
        return result

    def evaluate(self) -> dict[str, float]:
        logits = in_batches(self._forward, self._samples.x_validation)
        return {"val_accuracy": round(accuracy(logits, self._samples.y_validation), 5)}

    def variables(self) -> list[Any]:
        return [*self.model.variables, *self._optimiser.variables]
