"""The two phases of AgileNN's training: first the extractor learns to feed the reference network, then all is joint."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from baselines.agilenn import codebook
from baselines.agilenn.importance import ImportanceMeter, channel_importance
from baselines.agilenn.losses import disorder_loss, mean_over, skewness, skewness_loss, violations
from baselines.recipe import AgileNNRecipe
from baselines.training.augment import to_unit
from baselines.training.loop import Job, in_batches
from baselines.training.supervised import Samples, accuracy, cross_entropy, distillation, sgd

IMPORTANCE_VALIDATION = 1000  # validation samples whose importance is measured after each epoch


def _hits(logits: Any, labels: Any) -> Any:
    return tf.cast(tf.argmax(logits, -1, tf.int32) == labels, tf.float32)


class WarmJob(Job):
    """The extractor in front of the frozen reference network: cross-entropy and the reference network's own logits."""

    def __init__(self, extractor: Any, body: Any, teacher: Any, samples: Samples, recipe: AgileNNRecipe) -> None:
        self._extractor, self._body, self._teacher, self._samples = extractor, body, teacher, samples
        self._distil = recipe.distillation
        self._optimiser = sgd(recipe.weight_decay, extractor.trainable_variables, recipe.clip_norm)
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
        return {"loss": loss, "accuracy": tf.reduce_mean(_hits(logits, y))}

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
        self._optimiser = sgd(recipe.weight_decay, self._branch.trainable_variables, recipe.clip_norm)
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
        return {"loss": loss, "accuracy": tf.reduce_mean(_hits(logits, y))}

    def step(self, indices: npt.NDArray[np.int32], seed: npt.NDArray[np.int32], learning_rate: float) -> dict[str, Any]:
        self._optimiser.learning_rate.assign(learning_rate)
        result: dict[str, Any] = self._compiled(tf.constant(indices), tf.constant(seed))
        return result

    def evaluate(self) -> dict[str, float]:
        logits = in_batches(self._forward, self._samples.x_validation)
        return {"val_accuracy": round(accuracy(logits, self._samples.y_validation), 5)}

    def variables(self) -> list[Any]:
        return [*self._branch.variables, *self._optimiser.variables]


class JointJob(Job):
    """Device half, codebook, remote network and alpha together, with the skewness and disorder losses."""

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
        self._teacher, self._samples, self._recipe = teacher, samples, recipe
        self._k = recipe.network.k
        self.meter = ImportanceMeter(
            body, recipe.importance.method, recipe.importance.attribution, recipe.importance.steps
        )
        self.codebook = keras.Variable(codebook.to_parameters(centroids), name="codebook")
        self.balance = keras.Variable(0.0, name="balance")  # w of alpha = sigmoid(w / T)
        # XLA fuses the quantiser's many passes over [..., centroids] into one: three times faster on two cores.
        self._quantise = tf.function(codebook.quantise, jit_compile=True)
        self._optimiser = sgd(recipe.weight_decay, self._trainable(), recipe.clip_norm)
        self._compiled = tf.function(self._step)
        self._forward = tf.function(self._infer)
        self._measured = tf.function(self._measure)

    def _trainable(self) -> list[Any]:
        return [*self.device.trainable_variables, *self.remote.trainable_variables, self.codebook, self.balance]

    def alpha(self) -> Any:
        """Weight of the local logits."""
        return tf.sigmoid(self.balance / self._recipe.temperature)

    def centroids(self) -> codebook.Floats:
        """The codebook, ascending."""
        return np.sort(np.asarray(codebook.TOP * tf.sigmoid(tf.convert_to_tensor(self.codebook))))

    def _outputs(self, x: Any, *, training: bool) -> tuple[Any, Any, Any]:
        features, local = self.device(x, training=training)
        sent = self._quantise(
            features[..., self._k :], tf.convert_to_tensor(self.codebook), self._recipe.codebook.sharpness
        )
        return features, local, self.remote(sent, training=training)

    def losses(self, x: Any, y: Any) -> dict[str, Any]:
        """Every term for a batch of pictures in 0..1 and labels; `loss` is what is minimised."""
        r, weights, k = self._recipe, self._recipe.losses, self._k
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
        if weights.local:
            prediction += weights.local * fit(local)
        if weights.remote:
            prediction += weights.remote * fit(remote)
        some = r.importance.batch
        importance, judged = self.meter(features[:some], y[:some])
        channels = channel_importance(importance)
        counted = _hits(judged, y[:some]) if r.importance.correct_only else tf.ones_like(channels[:, 0])
        skew = mean_over(skewness_loss(channels, k, weights.rho), counted)
        disorder = mean_over(disorder_loss(importance, k, weights.disorder, weights.disorder_margin), counted)
        shape = skew + weights.disorder_weight * disorder
        loss = weights.prediction * prediction + (1 - weights.prediction) * shape
        if weights.reference:
            loss += weights.reference * cross_entropy(y[:some], judged)
        return {
            "loss": loss,
            "prediction_loss": prediction,
            "skewness_loss": skew,
            "disorder_loss": disorder,
            "accuracy": tf.reduce_mean(_hits(combined, y)),
            "local": tf.reduce_mean(_hits(local, y)),
            "remote": tf.reduce_mean(_hits(remote, y)),
            "skewness": mean_over(skewness(channels, k), counted),
            "violations": mean_over(violations(channels, k), counted),
            "alpha": alpha,
        }

    def _step(self, indices: Any, seed: Any) -> dict[str, Any]:
        x, y = self._samples.batch(indices, seed)
        with tf.GradientTape() as tape:
            metrics = self.losses(x, y)
        variables = self._trainable()
        gradients = tape.gradient(metrics["loss"], variables)
        self._optimiser.apply_gradients(zip(gradients, variables, strict=True))
        return metrics

    def step(self, indices: npt.NDArray[np.int32], seed: npt.NDArray[np.int32], learning_rate: float) -> dict[str, Any]:
        self._optimiser.learning_rate.assign(learning_rate)
        result: dict[str, Any] = self._compiled(tf.constant(indices), tf.constant(seed))
        return result

    def _infer(self, x: Any) -> Any:
        _, local, remote = self._outputs(to_unit(x), training=False)
        return tf.stack([local, remote], axis=1)

    def _measure(self, x: Any, y: Any) -> Any:
        features, _, _ = self._outputs(to_unit(x), training=False)
        importance, judged = self.meter(features, y)
        channels = channel_importance(importance)
        return tf.stack([skewness(channels, self._k), violations(channels, self._k), _hits(judged, y)], axis=1)

    def logits(self, pictures: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Float local and remote logits [n, classes] of uint8 pictures."""
        both = in_batches(self._forward, pictures)
        return both[:, 0], both[:, 1]

    def evaluate(self) -> dict[str, float]:
        y = self._samples.y_validation
        local, remote = self.logits(self._samples.x_validation)
        alpha = float(self.alpha())
        some = slice(IMPORTANCE_VALIDATION)
        skew, disordered, right = in_batches(
            self._measured, self._samples.x_validation[some], y[some].astype(np.int32), batch=250
        ).T
        counted = right > 0 if self._recipe.importance.correct_only and right.any() else np.ones_like(right, dtype=bool)
        return {
            "val_accuracy": round(accuracy(alpha * local + (1 - alpha) * remote, y), 5),
            "val_local": round(accuracy(local, y), 5),
            "val_remote": round(accuracy(remote, y), 5),
            "val_skewness": round(float(skew[counted].mean()), 5),
            "val_violations": round(float(disordered[counted].mean()), 5),
            "val_reference": round(float(right.mean()), 5),
        }

    def variables(self) -> list[Any]:
        return [
            *self.device.variables,
            *self.remote.variables,
            self.codebook,
            self.balance,
            *self._optimiser.variables,
        ]
