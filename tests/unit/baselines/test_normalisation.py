"""The normalisation in one operation does what Keras' layer does, gradients included, and keeps float32 statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
from keras import ops

from baselines.networks.normalisation import Normalisation
from baselines.training import backend


def layers() -> tuple[Any, Any]:
    pair = keras.layers.BatchNormalization(momentum=0.9), Normalisation(momentum=0.9)
    rng = np.random.default_rng(2)
    weights = [1 + rng.random(5), rng.random(5), rng.random(5), 1 + rng.random(5)]
    for layer in pair:
        layer.build((None, 4, 4, 5))
        layer.set_weights(weights)
    return pair


X = (np.random.default_rng(0).standard_normal((6, 4, 4, 5)) * 3 + 1).astype(np.float32)
SLOPE = np.random.default_rng(1).standard_normal((6, 4, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("training", [True, False])
def test_as_kerass_layer(training: bool) -> None:
    found = []
    for layer in layers():
        x = keras.Variable(X)

        def loss(layer: Any = layer, x: Any = x) -> dict[str, Any]:
            return {"loss": ops.sum(layer(backend.value_of(x), training=training) * SLOPE)}

        metrics, gradients = backend.gradients(loss, [x, layer.gamma, layer.beta])
        found.append([metrics["loss"], *gradients, *layer.get_weights()])
    for theirs, ours in zip(*found, strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=2e-4, atol=2e-4)


def test_bfloat16_goes_through_as_it_is_with_float32_statistics() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        _, layer = layers()
        outputs = layer(ops.cast(X, "bfloat16"), training=True)
    finally:
        keras.config.set_dtype_policy(before)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    exact = np.asarray(ops.cast(ops.cast(X, "bfloat16"), "float32")).mean(axis=(0, 1, 2))
    moving = layer.get_weights()[2]
    start = layers()[1].get_weights()[2]
    np.testing.assert_allclose((moving - 0.9 * start) / 0.1, exact, rtol=1e-4)
