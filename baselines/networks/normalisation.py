"""Normalises batches by one operation of the library, whatever the precision of the features."""

from __future__ import annotations

from typing import Any

import keras

from baselines.training import backend


class Normalisation(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Normalises [n, h, w, c] over all but the channels; statistics, scale and offset are always float32.

    Keras' own layer makes several passes over the features, and turns bfloat16 ones into float32 and back. The
    variables are the same, so a checkpoint of one layer fits the other.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(dtype="float32", autocast=False, **settings)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise [n, h, w, c] to the same shape and precision; `mask` is ignored."""
        if not (training and self.trainable):
            values = (self.gamma, self.beta, self.moving_mean, self.moving_variance)
            gamma, beta, mean, variance = map(backend.value_of, values)
            return backend.scaled(inputs, gamma, beta, mean, variance, self.epsilon)
        gamma, beta = backend.value_of(self.gamma), backend.value_of(self.beta)
        outputs, mean, variance = backend.normalised(inputs, gamma, beta, self.epsilon)
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(backend.value_of(moving) * self.momentum + new * (1.0 - self.momentum))
        return outputs
