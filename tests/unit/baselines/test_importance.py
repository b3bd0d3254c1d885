"""Importance through a frozen network, and that its gradients really reach the extractor (second order)."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

from baselines.schemes.agilenn.importance import ImportanceMeter, channel_importance  # noqa: E402
from baselines.schemes.agilenn.losses import skewness_loss  # noqa: E402

pytestmark = pytest.mark.slow


def linear_body(weights: np.ndarray) -> keras.Model:
    """Sum over the map, then logits = sums @ weights: every gradient is known."""
    features = keras.Input((2, 2, weights.shape[0]))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    dense = keras.layers.Dense(weights.shape[1], use_bias=False)
    model = keras.Model(features, dense(pooled))
    dense.set_weights([weights * 4.0])  # the mean divides by 4
    return model


WEIGHTS = np.array([[1.0, -2.0], [0.5, 0.0], [-1.0, 3.0]], dtype=np.float32)


@pytest.mark.parametrize(("method", "steps"), [("ig2", 2), ("ig", 5)])
def test_score_of_a_linear_network_is_weight_times_feature(method: str, steps: int) -> None:
    meter = ImportanceMeter(linear_body(WEIGHTS), method, "score", steps)
    features = np.random.default_rng(0).uniform(0, 6, (2, 2, 2, 3)).astype(np.float32)
    labels = np.array([0, 1], dtype=np.int32)
    importance, _ = meter(tf.constant(features), tf.constant(labels))
    expected = np.abs(features * WEIGHTS[:, labels].T[:, None, None, :])
    assert importance.numpy() == pytest.approx(expected, rel=1e-5)
    assert channel_importance(importance).numpy() == pytest.approx(expected.sum((1, 2)), rel=1e-5)


def test_saliency_is_the_gradient_alone() -> None:
    meter = ImportanceMeter(linear_body(WEIGHTS), "saliency", "score", 2)
    importance, _ = meter(tf.ones((1, 2, 2, 3)), tf.constant([1]))
    assert importance.numpy()[0, 0, 0] == pytest.approx(np.abs(WEIGHTS[:, 1]))


def test_two_points_of_the_loss_by_hand() -> None:
    meter = ImportanceMeter(linear_body(WEIGHTS), "ig2", "loss", 2)
    features = np.full((1, 2, 2, 3), 0.1, dtype=np.float32)
    importance, logits = meter(tf.constant(features), tf.constant([0]))

    def gradient(z: np.ndarray) -> np.ndarray:  # of the cross-entropy: W (softmax - onehot)
        p = np.exp(z) / np.exp(z).sum()
        return WEIGHTS @ (p - np.array([1.0, 0.0]))

    expected = np.abs(0.1 * 0.5 * (gradient(np.zeros(2)) + gradient(logits.numpy()[0])))
    assert importance.numpy()[0, 0, 0] == pytest.approx(expected, rel=1e-4)


def test_many_steps_of_ig_sum_to_the_loss_difference() -> None:
    """Completeness (Sundararajan et al. 2017), where all attributions have one sign so that |.| changes nothing."""
    weights = np.array([[1.0, 0.0], [0.5, 0.0], [2.0, 0.0]], dtype=np.float32)
    meter = ImportanceMeter(linear_body(weights), "ig", "loss", 60)
    importance, logits = meter(tf.constant(np.full((1, 2, 2, 3), 0.2, np.float32)), tf.constant([0]))
    z = logits.numpy()[0]
    loss = np.log(np.exp(z).sum()) - z[0]
    assert float(tf.reduce_sum(importance)) == pytest.approx(np.log(2) - loss, rel=1e-3)


# Three classes: with two, a sample's gradient has one direction whatever the features, and shares do not change.
THREE = np.array([[1.0, -2.0, 0.5], [0.5, 0.0, -1.5], [-1.0, 3.0, 1.0]], dtype=np.float32)


def extractor_gradient(method: str, *, second_order: bool) -> np.ndarray:
    """d(skewness loss)/d(extractor weights), with or without what flows through the inner gradient."""
    keras.utils.set_random_seed(1)
    kernel = tf.Variable(tf.random.stateless_uniform((3, 3), [1, 2], 0.2, 1.0))
    meter = ImportanceMeter(linear_body(THREE), method, "loss", 2, second_order=second_order)
    pictures = tf.random.stateless_uniform((4, 2, 2, 3), [3, 4], 0.0, 1.0)
    with tf.GradientTape() as tape:
        features = tf.nn.relu(tf.tensordot(pictures, kernel, 1))
        importance, _ = meter(features, tf.constant([0, 1, 2, 1]))
        loss = tf.reduce_mean(skewness_loss(channel_importance(importance), 1, 0.99))
    return np.asarray(tape.gradient(loss, kernel, unconnected_gradients="zero"))


def test_dropping_second_order_gradients_changes_the_extractors_gradient() -> None:
    full = extractor_gradient("ig2", second_order=True)
    first_order = extractor_gradient("ig2", second_order=False)
    assert np.abs(first_order).max() > 0  # f itself is a factor of its importance
    assert np.abs(full - first_order).max() > 0.003 * np.abs(first_order).max()


def test_saliency_has_no_other_gradient_than_the_second_order_one() -> None:
    assert np.abs(extractor_gradient("saliency", second_order=True)).max() > 1e-4
    assert np.abs(extractor_gradient("saliency", second_order=False)).max() == 0.0
