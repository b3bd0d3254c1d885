"""Builds DeepCOD's encoder, one 4x4 convolution of stride 4 without bias, spectrally normalised, and its quantiser.

The encoder acts on the picture less 0.5. Its kernel starts as a random rotation of the first principal components of
the training set's patches: orthogonal, as the regulariser wants it, and with the same spread in every channel, as one
codebook for all of them wants it.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from baselines.networks.blocks import Blocks
from baselines.networks.decoder import PATCH
from baselines.training import backend

Floats = npt.NDArray[np.float32]


def first_kernel(pictures: npt.NDArray[np.uint8], channels: int, seed: int) -> Floats:
    """Return the first kernel [4, 4, 3, channels], made from uint8 training pictures [n, h, w, 3]."""
    n, height, width, depth = pictures.shape
    size = PATCH * PATCH * depth
    patches = pictures.reshape(n, height // PATCH, PATCH, width // PATCH, PATCH, depth).transpose(0, 1, 3, 2, 4, 5)
    flat = patches.reshape(-1, size).astype(np.float64) / 255.0 - 0.5
    _, vectors = np.linalg.eigh(flat.T @ flat)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((channels, channels)))
    return (vectors[:, ::-1][:, :channels] @ rotation).reshape(PATCH, PATCH, depth, channels).astype(np.float32)


def quantise(x: Any, centres: Any, sharpness: float) -> Any:
    """Turn features into the nearest centres, with the gradient of the soft assignment (hard forward, soft backward).

    Args:
        sharpness: softmax over -sharpness * (distance / mean distance of neighbouring centres)^2.
    """
    gap = (ops.max(centres) - ops.min(centres)) / float(centres.shape[0] - 1)
    distance = ops.square((x[..., None] - centres) / ops.stop_gradient(gap + 1e-6))
    soft = ops.sum(ops.softmax(-sharpness * distance) * centres, axis=-1)
    return soft + ops.stop_gradient(backend.nearest(centres, distance) - soft)


def start_centres(features: Floats, count: int) -> Floats:
    """Return evenly spaced quantiles of a sample of features."""
    return np.quantile(features, (np.arange(count) + 0.5) / count).astype(np.float32)


def _unit(x: Any) -> Any:
    """Return `x` over its length."""
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), keepdims=True), 1e-12))


class Encoder:
    """Holds the trained parts of the device's half: kernel, power iteration's vector, centres."""

    def __init__(self, kernel: Floats, centroids: int, sharpness: float) -> None:
        self.kernel = keras.Variable(kernel, name="encode_kernel")
        self.centres = keras.Variable(np.linspace(-1, 1, centroids, dtype=np.float32), name="centres")
        self._vector = keras.Variable(np.ones((kernel.shape[-1], 1), np.float32), trainable=False, name="power")
        self._sharpness = sharpness

    def fit_centres(self, features: Floats) -> None:
        """Put the centres where `start_centres` has them."""
        self.centres.assign(start_centres(features, int(self.centres.shape[0])))

    def take(self, kernel: Floats, centres: Floats) -> None:
        """Go on from a trained kernel [4, 4, 3, channels] and centres.

        The power iteration starts where it ends, so that the kernel is normalised as it was from the first step on.
        """
        self.kernel.assign(kernel)
        self.centres.assign(centres)
        self._vector.assign(np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]))[2][:1].T.astype(np.float32))

    def trainable(self) -> list[Any]:
        """Return what the optimiser moves."""
        return [self.kernel, self.centres]

    def variables(self) -> list[Any]:
        """Return what a checkpoint holds."""
        return [self.kernel, self.centres, self._vector]

    def _matrix(self) -> Any:
        kernel = backend.value_of(self.kernel)
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    def normalised(self, *, update: bool = False) -> Any:
        """Return the kernel over its largest singular value, by one step of power iteration (Miyato et al. 2018)."""
        matrix = self._matrix()
        left = ops.stop_gradient(_unit(ops.matmul(matrix, backend.value_of(self._vector))))
        right = ops.stop_gradient(_unit(backend.transposed_times(matrix, left)))
        if update:
            self._vector.assign(right)
        sigma = ops.matmul(backend.transposed_times(left, matrix), right)
        return backend.value_of(self.kernel) / sigma[0, 0]

    def orthogonality(self) -> Any:
        """Return ||W' W - 1||^2 / 2 of the kernel as a matrix [48, channels]."""
        matrix = self._matrix()
        return ops.sum(ops.square(backend.transposed_times(matrix, matrix) - ops.eye(matrix.shape[-1]))) / 2

    def features(self, x: Any, *, update: bool = False) -> Any:
        """Turn pictures in 0..1 [n, h, w, 3] into features [n, h/4, w/4, channels], not yet quantised."""
        return ops.conv(x - 0.5, self.normalised(update=update), PATCH, "valid", data_format="channels_last")

    def sent(self, features: Any) -> Any:
        """Turn features into centres."""
        return quantise(features, backend.value_of(self.centres), self._sharpness)


def device_model(encoder: Encoder, input_shape: tuple[int, int, int]) -> Any:
    """Build what the device runs: picture in 0..1 -> features. The offset of 0.5 is in the bias."""
    kernel = np.asarray(encoder.normalised())
    picture = keras.Input(input_shape)
    layer = keras.layers.Conv2D(kernel.shape[-1], PATCH, PATCH, "valid", name="encode_conv")
    model = keras.Model(picture, layer(picture), name="device")
    layer.set_weights([kernel, -0.5 * kernel.sum(axis=(0, 1, 2))])
    return model


def enlarged_model(input_shape: tuple[int, int, int], widths: tuple[int, ...], channels: int) -> Any:
    """Build an encoder of the size that the paper's latency implies.

    It turns a picture in 0..1 into features [n, h/4, w/4, channels].
    """
    blocks = Blocks(folded=True)
    picture = keras.Input(input_shape)
    x = picture
    for i, width in enumerate(widths):
        x = blocks.conv(x, width, stride=2, act="relu6", name=f"encode{i}")
    return keras.Model(picture, blocks.conv(x, channels, stride=2, act=None, name="encode"), name="device")
