"""Trains before and after AgileNN's joint training: first the extractor, then the local branch alone."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from baselines.recipes.recipe import AgileNNRecipe
from baselines.training import backend
from baselines.training.augment import to_unit
from baselines.training.descent import DescentJob, optimiser_of
from baselines.training.loop import in_batches
from baselines.training.supervised import Samples, accuracy, cross_entropy, distillation, hits


class WarmJob(DescentJob):
    """Trains the extractor in front of the frozen reference network by cross-entropy and that network's own logits."""

    def __init__(self, extractor: Any, body: Any, teacher: Any, samples: Samples, recipe: AgileNNRecipe) -> None:
        super().__init__(samples, optimiser_of(recipe, extractor.trainable_variables))
        self._extractor, self._body, self._teacher = extractor, body, teacher
        self._distil = recipe.distillation
        self._forward = backend.compiled(lambda x: body(extractor(to_unit(x), training=False), training=False))

    def trainable(self) -> list[Any]:
        variables: list[Any] = self._extractor.trainable_variables
        return variables

    def losses(self, x: Any, y: Any, *more: Any) -> dict[str, Any]:
        target = self._teacher(x, training=False)
        logits = self._body(self._extractor(x, training=True), training=False)
        loss = cross_entropy(y, logits) + distillation(target, logits, self._distil.temperature)
        return {"loss": loss, "accuracy": ops.mean(hits(logits, y))}

    def evaluate(self) -> dict[str, float]:
        logits = in_batches(self._forward, self._samples.x_validation)
        return {"val_accuracy": round(accuracy(logits, self._samples.y_validation), 5)}

    def variables(self) -> list[Any]:
        return [*self._extractor.variables, *self._optimiser.variables]


class LocalJob(DescentJob):
    """Trains the local branch alone behind the frozen extractor, by its own cross-entropy.

    It is cheap, as nothing else is run.
    """

    def __init__(self, device: Any, samples: Samples, recipe: AgileNNRecipe) -> None:
        features = device.get_layer("extract_mix_relu").output
        self._extractor = keras.Model(device.input, features)
        self._branch = keras.Model(features, device.output[1])
        super().__init__(samples, optimiser_of(recipe, self.trainable()))
        self._forward = backend.compiled(lambda x: device(to_unit(x), training=False)[1])

    def trainable(self) -> list[Any]:
        variables: list[Any] = self._branch.trainable_variables
        return variables

    def losses(self, x: Any, y: Any, *more: Any) -> dict[str, Any]:
        logits = self._branch(self._extractor(x, training=False), training=True)
        return {"loss": cross_entropy(y, logits), "accuracy": ops.mean(hits(logits, y))}

    def evaluate(self) -> dict[str, float]:
        logits = in_batches(self._forward, self._samples.x_validation)
        return {"val_accuracy": round(accuracy(logits, self._samples.y_validation), 5)}

    def variables(self) -> list[Any]:
        return [*self._branch.variables, *self._optimiser.variables]
