"""Trains by going down the gradient of a job's losses on augmented pictures, whichever library computes."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np
import numpy.typing as npt

from baselines.training import backend
from baselines.training.loop import Job

if TYPE_CHECKING:
    from baselines.recipes.recipe import Recipe


class Samples(Protocol):
    """Names what a job takes its batches from and is judged on (`baselines.training.supervised.Samples`)."""

    x_validation: npt.NDArray[np.uint8]
    y_validation: npt.NDArray[Any]

    def at(self, indices: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        """Return the uint8 pictures and int32 labels of the training samples `indices`."""

    def first(self, count: int) -> npt.NDArray[np.uint8]:
        """Return the first `count` training pictures as the networks take them, not augmented."""

    def views(self, pictures: Any, seed: Any) -> Any:
        """Return augmented float32 pictures in 0..1 of a batch of uint8 ones."""


def sgd(
    weight_decay: float, variables: list[Any], clip_norm: float = 0.0, *, nesterov: bool = True, average: float = 0.0
) -> Any:
    """Make SGD with momentum 0.9 and decoupled weight decay on kernels only; `clip_norm` 0 = never clip."""
    optimiser = keras.optimizers.SGD(
        0.1,
        momentum=0.9,
        nesterov=nesterov,
        weight_decay=weight_decay or None,
        **_common(clip_norm, average),
    )
    return _built(optimiser, variables, decays=bool(weight_decay))


def adam(weight_decay: float, variables: list[Any], clip_norm: float = 0.0, *, average: float = 0.0) -> Any:
    """Make Adam with decoupled weight decay on kernels only; `clip_norm` 0 = never clip."""
    optimiser = keras.optimizers.AdamW(1e-3, weight_decay=weight_decay, **_common(clip_norm, average))
    return _built(optimiser, variables, decays=True)


def optimiser_of(recipe: Recipe, variables: list[Any]) -> Any:
    """Return the optimiser that a recipe asks for."""
    decay, clip, average = recipe.weight_decay, recipe.clip_norm, recipe.average
    if recipe.optimiser == "adam":
        return adam(decay, variables, clip, average=average)
    return sgd(decay, variables, clip, nesterov=recipe.nesterov, average=average)


def _common(clip_norm: float, average: float) -> dict[str, Any]:
    averaging = {"use_ema": True, "ema_momentum": average, "ema_overwrite_frequency": None} if average else {}
    return {"global_clipnorm": clip_norm or None, **averaging}


def _built(optimiser: Any, variables: list[Any], *, decays: bool) -> Any:
    if decays:
        optimiser.exclude_from_weight_decay(var_list=[v for v in variables if "kernel" not in v.name])
    optimiser.build(variables)
    return optimiser


class DescentJob(Job):
    """Augments a batch, and moves `trainable()` against the gradient of `losses`; all of it is one compiled step."""

    def __init__(self, samples: Samples, optimiser: Any) -> None:
        self._samples, self._optimiser = samples, optimiser
        self._compiled = backend.compiled(self._move)
        self._example: tuple[Any, ...] | None = None  # arguments of the last step

    @abstractmethod
    def trainable(self) -> list[Any]:
        """Return the variables that the optimiser moves, in the order that it was built with."""

    @abstractmethod
    def losses(self, x: Any, y: Any, *more: Any) -> dict[str, Any]:
        """Return scalars by name for pictures in 0..1 and labels (and `more`); `loss` is what is minimised."""

    def more(self, indices: npt.NDArray[np.int32], seed: npt.NDArray[np.int32]) -> tuple[npt.NDArray[Any], ...]:
        """Return further arrays that `losses` takes of the training samples `indices`; what is drawn is drawn by
        `seed`.
        """
        return ()

    def _move(self, pictures: Any, y: Any, seed: Any, *more: Any) -> dict[str, Any]:
        x, variables = self._samples.views(pictures, seed), self.trainable()

        def losses() -> dict[str, Any]:
            return self.losses(x, y, *more)

        metrics, gradients = backend.gradients(losses, variables)
        self._optimiser.apply_gradients(zip(gradients, variables, strict=True))
        return metrics

    def step(self, indices: npt.NDArray[np.int32], seed: npt.NDArray[np.int32], learning_rate: float) -> dict[str, Any]:
        self._optimiser.learning_rate.assign(learning_rate)
        arrays = (*self._samples.at(indices), seed, *self.more(indices, seed))
        self._example = tuple(map(keras.ops.convert_to_tensor, arrays))
        result: dict[str, Any] = self._compiled(*self._example)
        return result

    def step_flop(self) -> float | None:
        return backend.flop(self._compiled, self._example) if self._example is not None else None

    def assess(self) -> dict[str, float]:
        if not self._averages:
            return self.evaluate()
        before = [keras.ops.convert_to_numpy(variable) for variable in self.trainable()]
        self.settle()
        try:
            return self.evaluate()
        finally:
            for variable, value in zip(self.trainable(), before, strict=True):
                variable.assign(value)

    def settle(self) -> None:
        """Put the averaged weights in place of the last ones, where the recipe averages."""
        if self._averages:
            self._optimiser.finalize_variable_values(self.trainable())

    @property
    def _averages(self) -> bool:
        return bool(getattr(self._optimiser, "use_ema", False))
