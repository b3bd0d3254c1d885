"""How much the reference network's answer depends on each element of the feature map (paper, section 3.1).

With f the features and L the loss (or minus the class score) of the frozen reference network, element by element:

- `saliency`: |dL/df|
- `ig2`: |f * (dL/df at 0 + dL/df at f) / 2|, the two-point form of Integrated Gradients that the public code uses
- `ig`: |f * trapezoid mean of dL/df at 0, f/n .. f|, baseline zero (Sundararajan et al. 2017)

The gradients stay on the caller's tape, so the losses built on them have real second-order gradients (unless
`second_order` is off, an ablation). At f = 0 they
depend on the label alone (every sample looks the same there), so they are computed once per class and looked up.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from baselines.recipe import Importance


class ImportanceMeter:
    """Importance through a frozen `body` (features [n, h, w, c] -> logits [n, classes])."""

    def __init__(self, body: Any, method: str, attribution: str, steps: int, *, second_order: bool = True) -> None:
        self._body = body
        self._method = method
        self._second_order = second_order
        self._attribution = attribution
        self._steps = 2 if method == "ig2" else steps
        classes, shape = body.output_shape[-1], body.input_shape[1:]
        at_zero, _ = self._gradient(tf.zeros((classes, *shape)), tf.range(classes))
        self._at_zero = tf.constant(at_zero.numpy())

    @classmethod
    def of(cls, body: Any, settings: Importance) -> ImportanceMeter:
        """As a recipe has it."""
        s = settings
        return cls(body, s.method, s.attribution, s.steps, second_order=s.second_order)

    def judge(self, features: Any) -> Any:
        """The reference network's logits on `features`."""
        return self._body(features, training=False)

    def _gradient(self, features: Any, labels: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(features)
            logits = self._body(features, training=False)
            if self._attribution == "loss":
                # A sum, so that each sample's gradient is its own.
                target = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
            else:
                target = -tf.reduce_sum(tf.gather(logits, labels, batch_dims=1))
        gradient = tape.gradient(target, features)
        return gradient if self._second_order else tf.stop_gradient(gradient), logits

    def __call__(self, features: Any, labels: Any) -> tuple[Any, Any]:
        """Importance per element, float32 >= 0 [n, h, w, c], and the reference network's logits on `features`."""
        if self._method == "saliency":
            gradient, logits = self._gradient(features, labels)
            return tf.abs(gradient), logits
        # All points of the path in one batch: many gradients of a batch each would be as many copies of the graph.
        last = self._steps - 1
        path = tf.concat([features * ((i + 1) / last) for i in range(last)], axis=0)
        gradients, logits = self._gradient(path, tf.tile(labels, [last]))
        by_point = tf.reshape(gradients, tf.concat([[last], tf.shape(features)], axis=0))
        ends = 0.5 * (tf.gather(self._at_zero, labels) + by_point[-1])
        mean = (ends + tf.reduce_sum(by_point[:-1], axis=0)) / last
        return tf.abs(features * mean), logits[-tf.shape(features)[0] :]


def channel_importance(importance: Any) -> Any:
    """Per element [n, h, w, c] -> per channel [n, c]: the sum over the map."""
    return tf.reduce_sum(importance, axis=(1, 2))
