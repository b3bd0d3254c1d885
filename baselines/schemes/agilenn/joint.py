"""Trains AgileNN jointly: device half, codebook, remote network and alpha, shaped by feature importance."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from baselines.data import Labels
from baselines.recipes.recipe import AgileNNRecipe
from baselines.schemes.agilenn import codebook
from baselines.schemes.agilenn.importance import ImportanceMeter, channel_importance
from baselines.schemes.agilenn.losses import disorder_loss, mean_over, skewness, skewness_loss, violations
from baselines.schemes.agilenn.rate import RateTerm
from baselines.training import backend
from baselines.training.augment import to_unit
from baselines.training.descent import DescentJob, optimiser_of
from baselines.training.loop import in_batches
from baselines.training.supervised import Samples, accuracy, cross_entropy, distillation, hits

IMPORTANCE_VALIDATION = 1000  # validation samples whose importance is measured after each epoch


class JointJob(DescentJob):
    """Trains device half, codebook, remote network and alpha together, with the skewness and disorder losses.

    Without the reference network's `body` there is no importance: neither those losses nor figures of attention.
    """

    def __init__(
        self,
        *,
        device: Any,
        remote: Any,
        body: Any,
        teacher: Any,
        samples: Samples,
        recipe: AgileNNRecipe,
        centroids: codebook.Floats,
    ) -> None:
        self.device, self.remote = device, remote
        self._teacher, self._recipe = teacher, recipe
        self._k = recipe.network.k
        self.meter = None if body is None else ImportanceMeter.of(body, recipe.importance)
        self.codebook = keras.Variable(codebook.to_parameters(centroids), name="codebook")
        self.balance = keras.Variable(0.0, name="balance")  # w of alpha = sigmoid(w / T)
        super().__init__(samples, optimiser_of(recipe, self.trainable()))
        # XLA fuses the quantiser's many passes over [..., centroids] into one: three times faster on two cores.
        self._quantise = backend.fused(codebook.quantise)
        self._rate = None
        if recipe.rate.per_byte:
            height, width, channels = (int(size) for size in device.get_layer("extract_mix_relu").output.shape[1:])
            sent = (height, width, channels - self._k)
            self._rate = RateTerm(recipe.rate, sent, recipe.codebook.centroids, recipe.codebook.sharpness)
        self._nearest = backend.compiled(self._symbols)
        self._forward = backend.compiled(self._infer)
        self._measured = backend.compiled(self._measure)

    def trainable(self) -> list[Any]:
        own = [self.codebook] if self._recipe.codebook.quantise else []
        own += [self.balance] if self._k else []
        return [*self.device.trainable_variables, *self.remote.trainable_variables, *own]

    def alpha(self) -> Any:
        """Return the weight of the local logits, which is 0 where there is no local branch."""
        if not self._k:
            return ops.zeros(())
        return ops.sigmoid(self.balance / self._recipe.temperature)

    def centroids(self) -> codebook.Floats:
        """Return the codebook, ascending."""
        return np.sort(np.asarray(codebook.TOP * ops.sigmoid(backend.value_of(self.codebook))))

    def _outputs(self, x: Any, *, training: bool) -> tuple[Any, Any, Any]:
        features, local = self._device_half(x, training=training)
        sent = features[..., self._k :]
        if self._recipe.codebook.quantise:
            sent = self._quantise(sent, backend.value_of(self.codebook), self._recipe.codebook.sharpness)
        remote = self.remote(sent, training=training)
        return features, ops.zeros_like(remote) if local is None else local, remote

    def _device_half(self, x: Any, *, training: bool) -> tuple[Any, Any]:
        if self._k:
            features, local = self.device(x, training=training)
            return features, local
        features = self.device(x, training=training)
        return features[0] if isinstance(features, (list, tuple)) else features, None

    def losses(self, x: Any, y: Any, *more: Any) -> dict[str, Any]:
        """Return every term for a batch of pictures in 0..1 and labels; `loss` is what is minimised."""
        r, weights = self._recipe, self._recipe.losses
        target = self._teacher(x, training=False) if self._teacher is not None else None

        def fit(logits: Any) -> Any:
            hard = cross_entropy(y, logits, r.smoothing)
            if target is None:
                return hard
            d = r.distillation
            return (1 - d.weight) * hard + d.weight * distillation(target, logits, d.temperature)

        features, local, remote = self._outputs(x, training=True)
        alpha = self.alpha()
        combined = alpha * local + (1 - alpha) * remote
        prediction = fit(combined)
        if weights.local and self._k:
            prediction += weights.local * fit(local)
        if weights.remote:
            prediction += weights.remote * fit(remote)
        some = r.importance.batch
        shape, judged, figures = self._shape(features[:some], y[:some])
        loss = weights.prediction * prediction + (1 - weights.prediction) * shape
        if weights.reference and self.meter is not None:
            judged = self.meter.judge(features[:some]) if judged is None else judged
            loss += weights.reference * cross_entropy(y[:some], judged)
        if self._rate is not None:
            sent_bytes = self._rate.bytes_of(features[..., self._k :], backend.value_of(self.codebook))
            loss += self._rate.per_byte * sent_bytes
            figures = figures | {"bytes": sent_bytes}
        halves = {"local": ops.mean(hits(local, y)), "alpha": alpha} if self._k else {}
        return {
            "loss": loss,
            "prediction_loss": prediction,
            "accuracy": ops.mean(hits(combined, y)),
            "remote": ops.mean(hits(remote, y)),
            **halves,
            **figures,
        }

    def _shape(self, features: Any, y: Any) -> tuple[Any, Any, dict[str, Any]]:
        """Return the weighted skewness and disorder loss, the reference network's logits, and figures.

        Where the recipe asks for neither loss, these are 0, None and no figures.
        """
        weights, k = self._recipe.losses, self._k
        if k == 0 or self.meter is None or not (weights.skewness_weight or weights.disorder_weight):
            return ops.zeros(()), None, {}
        importance, judged = self.meter(features, y)
        channels = channel_importance(importance)
        counted = hits(judged, y) if self._recipe.importance.correct_only else ops.ones_like(channels[:, 0])
        skew = mean_over(skewness_loss(channels, k, weights.rho), counted)
        disorder = mean_over(disorder_loss(importance, k, weights.disorder, weights.disorder_margin), counted)
        figures = {
            "skewness_loss": skew,
            "disorder_loss": disorder,
            "skewness": mean_over(skewness(channels, k), counted),
            "violations": mean_over(violations(channels, k), counted),
        }
        return weights.skewness_weight * skew + weights.disorder_weight * disorder, judged, figures

    def _infer(self, x: Any) -> Any:
        _, local, remote = self._outputs(to_unit(x), training=False)
        return ops.stack([local, remote], axis=1)

    def _measure(self, x: Any, y: Any) -> Any:
        features, _ = self._device_half(to_unit(x), training=False)
        if self.meter is None:
            raise AssertionError("attention is measured through the reference network")
        importance, judged = self.meter(features, y)
        channels = channel_importance(importance)
        return ops.stack([skewness(channels, self._k), violations(channels, self._k), hits(judged, y)], axis=1)

    def logits(self, pictures: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return float local and remote logits [n, classes] of uint8 pictures.

        The local ones are 0 where there is no branch.
        """
        both = in_batches(self._forward, pictures)
        return both[:, 0], both[:, 1]

    def symbols(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return what the float device half would send of uint8 pictures: symbols of the ascending codebook [n, h, w,
        c].
        """
        return in_batches(self._nearest, pictures).astype(np.uint8)

    def _symbols(self, x: Any) -> Any:
        centroids = ops.sort(codebook.TOP * ops.sigmoid(backend.value_of(self.codebook)))
        features, _ = self._device_half(to_unit(x), training=False)
        distance = ops.abs(features[..., self._k :, None] - centroids)
        return ops.cast(ops.argmin(distance, axis=-1), "uint8")

    def step(self, indices: npt.NDArray[np.int32], seed: npt.NDArray[np.int32], learning_rate: float) -> dict[str, Any]:
        if self._rate is not None and int(seed[1]) % self._rate.every == 0:
            self._rate.learn(self.symbols(self._samples.first(self._rate.pictures)))
        return super().step(indices, seed, learning_rate)

    def attention(self, pictures: npt.NDArray[np.uint8], labels: Labels) -> dict[str, float]:
        """Return mean `skewness` and the share of `violations` over uint8 pictures.

        The third figure, `reference`, is the share that the reference network gets right. Where the recipe counts only
        those samples, the first two figures are taken over them.
        """
        if not self._k or self.meter is None:
            return {}
        y = labels.astype(np.int32)
        skew, disordered, right = in_batches(self._measured, pictures, y, batch=250).T
        counted = right > 0 if self._recipe.importance.correct_only and right.any() else np.ones_like(right, dtype=bool)
        return {
            "skewness": round(float(skew[counted].mean()), 5),
            "violations": round(float(disordered[counted].mean()), 5),
            "reference": round(float(right.mean()), 5),
        }

    def evaluate(self) -> dict[str, float]:
        x, y = self._samples.x_validation, self._samples.y_validation
        local, remote = self.logits(x)
        if not self._k:
            found = round(accuracy(remote, y), 5)
            return {"val_accuracy": found, "val_remote": found}
        alpha = float(self.alpha())
        some = slice(IMPORTANCE_VALIDATION)
        return {
            "val_accuracy": round(accuracy(alpha * local + (1 - alpha) * remote, y), 5),
            "val_local": round(accuracy(local, y), 5),
            "val_remote": round(accuracy(remote, y), 5),
            **{f"val_{name}": value for name, value in self.attention(x[some], y[some]).items()},
        }

    def variables(self) -> list[Any]:
        return [
            *self.device.variables,
            *self.remote.variables,
            self.codebook,
            self.balance,
            *([] if self._rate is None else [self._rate.bits]),
            *self._optimiser.variables,
        ]
