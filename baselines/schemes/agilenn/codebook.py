"""Quantises features by AgileNN's learned codebook: hard forward, soft backward (paper, section 6; Agustsson et al.
2017).

Centroids lie in ReLU6's range: centroid = 6 * sigmoid(parameter), which the public code calls the key to stability.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
TOP = 6.0


def fit(values: npt.NDArray[Any], centroids: int, iterations: int = 30) -> Floats:
    """Run Lloyd's algorithm in one dimension: return `centroids` ascending values for the sample `values`.

    It starts evenly spaced over what is not zero, with one centroid at zero, as ReLU6 gives zero most often.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    positive = flat[flat > 0]
    high = float(np.quantile(positive, 0.999)) if positive.size else TOP
    found = np.linspace(0.0, max(high, 1e-2), centroids)
    for _ in range(iterations):
        nearest = np.searchsorted((found[1:] + found[:-1]) / 2, flat)
        for i in range(centroids):
            members = flat[nearest == i]
            if members.size:
                found[i] = members.mean()
        found.sort()
    return np.clip(found, 0.01, TOP - 0.01).astype(np.float32)


def drawn(centroids: int, seed: int, deviation: float = 1.0) -> Floats:
    """Return ascending centroids of normally distributed parameters, as the public code starts."""
    parameters = np.random.default_rng([seed, 6]).standard_normal(centroids) * deviation
    return np.sort(TOP / (1 + np.exp(-parameters))).astype(np.float32)


def to_parameters(centroids: Floats) -> Floats:
    """Return the trained parameters that give `centroids`."""
    share = np.clip(np.asarray(centroids, dtype=np.float64) / TOP, 1e-4, 1 - 1e-4)
    return np.log(share / (1 - share)).astype(np.float32)


def quantise(x: Any, parameters: Any, sharpness: float) -> Any:
    """Turn features (float32, any shape) into their nearest centroids, with the gradient of the soft assignment.

    soft(x) = sum_j c_j softmax_j(-sharpness (x - c_j)^2).
    """
    from keras import ops  # noqa: PLC0415 - the export needs only numpy

    from baselines.training import backend  # noqa: PLC0415

    centroids = TOP * ops.sigmoid(parameters)
    distance = ops.square(x[..., None] - centroids)
    soft = ops.sum(ops.softmax(-sharpness * distance) * centroids, axis=-1)
    return soft + ops.stop_gradient(backend.nearest(centroids, distance) - soft)


def symbols_of(values: npt.NDArray[Any], centroids: Floats) -> npt.NDArray[np.uint8]:
    """Return the index of the nearest of the ascending `centroids` for each value; the lower one in a tie."""
    distance = np.abs(np.asarray(values, dtype=np.float64)[..., None] - np.asarray(centroids, dtype=np.float64))
    nearest: npt.NDArray[np.uint8] = np.argmin(distance, axis=-1).astype(np.uint8)
    return nearest


def symbol_table(scale: float, zero_point: int, centroids: Floats) -> list[int]:
    """Fold quantiser and codebook: entry v + 128 is the symbol of the int8 feature v = value / scale + zero_point."""
    values = scale * (np.arange(-128, 128) - zero_point)
    return [int(symbol) for symbol in symbols_of(values, centroids)]
