"""Measures how much the reference network's answer depends on each element of the feature map (paper, section 3.1).

With f the features and L the loss (or minus the class score) of the frozen reference network, element by element:

- `saliency`: |dL/df|
- `ig2`: |f * (dL/df at 0 + dL/df at f) / 2|, the two-point form of Integrated Gradients that the public code uses
- `ig`: |f * trapezoid mean of dL/df at 0, f/n .. f|, baseline zero (Sundararajan et al. 2017)

The gradients can be differentiated again, so the losses built on them have real second-order gradients (unless
`second_order` is off, an ablation). At f = 0 they depend on the label alone (every sample looks the same there), so
they are computed once per class and looked up.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from baselines.recipes.recipe import Importance
from baselines.training import backend


class ImportanceMeter:
    """Measures importance through a frozen `body` (features [n, h, w, c] -> logits [n, classes])."""

    def __init__(self, body: Any, method: str, attribution: str, steps: int, *, second_order: bool = True) -> None:
        self._body = body
        self._method = method
        self._second_order = second_order
        self._attribution = attribution
        self._steps = 2 if method == "ig2" else steps
        classes, shape = body.output_shape[-1], body.input_shape[1:]
        at_zero, _ = self._gradient(ops.zeros((classes, *shape)), ops.arange(classes))
        self._at_zero = ops.convert_to_numpy(at_zero)

    @classmethod
    def of(cls, body: Any, settings: Importance) -> ImportanceMeter:
        """Make a meter as a recipe asks for it."""
        s = settings
        return cls(body, s.method, s.attribution, s.steps, second_order=s.second_order)

    def judge(self, features: Any) -> Any:
        """Return the reference network's logits on `features`."""
        return self._body(features, training=False)

    def _gradient(self, features: Any, labels: Any) -> tuple[Any, Any]:
        def target(x: Any) -> tuple[Any, Any]:
            logits = self._body(x, training=False)
            # The sum leaves each sample its own gradient.
            if self._attribution == "loss":
                return ops.sum(ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)), logits
            return -ops.sum(ops.take_along_axis(logits, labels[:, None], axis=-1)), logits

        gradient, logits = backend.input_gradient(target, features)
        return gradient if self._second_order else ops.stop_gradient(gradient), logits

    def __call__(self, features: Any, labels: Any) -> tuple[Any, Any]:
        """Return importance per element, float32 >= 0 [n, h, w, c], and the reference network's logits."""
        if self._method == "saliency":
            gradient, logits = self._gradient(features, labels)
            return ops.abs(gradient), logits
        # All points of the path go in one batch: a gradient for each would be one more copy of the graph.
        last = self._steps - 1
        path = ops.concatenate([features * ((i + 1) / last) for i in range(last)], axis=0)
        gradients, logits = self._gradient(path, ops.tile(labels, [last]))
        by_point = ops.reshape(gradients, (last, -1, *features.shape[1:]))
        ends = 0.5 * (ops.take(self._at_zero, labels, axis=0) + by_point[-1])
        mean = (ends + ops.sum(by_point[:-1], axis=0)) / last
        return ops.abs(features * mean), logits[-ops.shape(features)[0] :]


def channel_importance(importance: Any) -> Any:
    """Sum importance per element [n, h, w, c] over the map to importance per channel [n, c]."""
    return ops.sum(importance, axis=(1, 2))
