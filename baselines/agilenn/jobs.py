"""Phases around AgileNN's joint training: the extractor in front of the reference network, the local branch alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from baselines.recipe import AgileNNRecipe
from baselines.training.augment import to_unit
from baselines.training.loop import Job, in_batches
from baselines.training.supervised import Samples, accuracy, cross_entropy, distillation, sgd


def hits(logits: Any, labels: Any) -> Any:
    return tf.cast(tf.argmax(logits, -1, tf.int32) == labels, tf.float32)


class WarmJob(Job):
    """The extractor in front of the frozen reference network: cross-entropy and the reference network's own logits."""

    def __init__(self, extractor: Any, body: Any, teacher: Any, samples: Samples, recipe: AgileNNRecipe) -> None:
        self._extractor, self._body, self._teacher, self._samples = extractor, body, teacher, samples
        self._distil = recipe.distillation
        self._optimiser = sgd(
            recipe.weight_decay, extractor.trainable_variables, recipe.clip_norm, nesterov=recipe.nesterov
        )
        self._compiled = tf.function(self._step)
        self._forward = tf.function(lambda x: body(extractor(to_unit(x), training=False), training=False))

    def _step(self, indices: Any, seed: Any) -> dict[str, Any]:
        x, y = self._samples.batch(indices, seed)
        target = self._teacher(x, training=False)
        with tf.GradientTape() as tape:
            logits = self._body(self._extractor(x, training=True), training=False)
            loss = cross_entropy(y, logits) + distillation(target, logits, self._distil.temperature)
        variables = self._extractor.trainable_variables
        self._optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"loss": loss, "accuracy": tf.reduce_mean(hits(logits, y))}

    def step(self, indices: npt.NDArray[np.int32], seed: npt.NDArray[np.int32], learning_rate: float) -> dict[str, Any]:
        self._optimiser.learning_rate.assign(learning_rate)
        result: dict[str, Any] = self._compiled(tf.constant(indices), tf.constant(seed))
        return result

    def evaluate(self) -> dict[str, float]:
        logits = in_batches(self._forward, self._samples.x_validation)
        return {"val_accuracy": round(accuracy(logits, self._samples.y_validation), 5)}

    def variables(self) -> list[Any]:
        return [*self._extractor.variables, *self._optimiser.variables]


class LocalJob(Job):
    """The local branch alone behind the frozen extractor: its own cross-entropy, cheap as nothing else is run."""

    def __init__(self, device: Any, samples: Samples, recipe: AgileNNRecipe) -> None:
        features = device.get_layer("extract_mix_relu").output
        self._extractor = keras.Model(device.input, features)
        self._branch = keras.Model(features, device.output[1])
        self._samples = samples
        self._optimiser = sgd(
            recipe.weight_decay, self._branch.trainable_variables, recipe.clip_norm, nesterov=recipe.nesterov
        )
        self._compiled = tf.function(self._step)
        self._forward = tf.function(lambda x: device(to_unit(x), training=False)[1])

    def _step(self, indices: Any, seed: Any) -> dict[str, Any]:
        x, y = self._samples.batch(indices, seed)
        features = self._extractor(x, training=False)
        with tf.GradientTape() as tape:
            logits = self._branch(features, training=True)
            loss = cross_entropy(y, logits)
        variables = self._branch.trainable_variables
        self._optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"loss": loss, "accuracy": tf.reduce_mean(hits(logits, y))}

    def step(self, indices: npt.NDArray[np.int32], seed: npt.NDArray[np.int32], learning_rate: float) -> dict[str, Any]:
        self._optimiser.learning_rate.assign(learning_rate)
        result: dict[str, Any] = self._compiled(tf.constant(indices), tf.constant(seed))
        return result

    def evaluate(self) -> dict[str, float]:
        logits = in_batches(self._forward, self._samples.x_validation)
        return {"val_accuracy": round(accuracy(logits, self._samples.y_validation), 5)}

    def variables(self) -> list[Any]:
        return [*self._branch.variables, *self._optimiser.variables]
