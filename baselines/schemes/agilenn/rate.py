"""Computes a loss on the bytes that the features take under the context codec's own tables.

The codec spends -log2 P(symbol | channel, symbol above, symbol to the left) bits on a symbol. In training the symbol is
soft (the quantiser's assignment), its neighbours are hard, and P comes from tables learnt from the features as they are
now, just as the export learns them at the end. So the extractor learns to send symbols that their neighbours foretell.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from baselines.export.context_tables import OTHER_CODECS, learn_tables
from baselines.recipes.recipe import Rate
from baselines.schemes.agilenn.codebook import TOP
from harness.contracts.context import TOTAL, why_not
from harness.contracts.errors import BenchError


class RateTerm:
    """Computes the mean bytes that a picture of features [n, height, width, channels] takes by `n_symbols` centroids.

    Raises:
        BenchError: the context codec does not take such features.
    """

    def __init__(self, rate: Rate, shape: tuple[int, int, int], n_symbols: int, sharpness: float) -> None:
        if why := why_not(n_symbols, shape[1], shape[2]):
            raise BenchError(why, cure=OTHER_CODECS)
        self.every, self.pictures, self.per_byte = rate.every, rate.pictures, rate.per_byte
        self._shape, self._n, self._sharpness = shape, n_symbols, sharpness
        rows = shape[2] * n_symbols**2  # channel, above, left
        even = np.full((rows, n_symbols), np.log2(n_symbols), dtype=np.float32)
        self.bits = keras.Variable(even, trainable=False, name="rate_bits")

    def learn(self, symbols: npt.NDArray[np.uint8]) -> None:
        """Take tables from the symbols [pictures, height, width, channels] of the ascending codebook."""
        tables = learn_tables(symbols.reshape(len(symbols), -1), self._n, self._shape)
        shares = np.array(tables.frequencies, dtype=np.float64)[np.array(tables.class_of).ravel()] / TOTAL
        self.bits.assign(-np.log2(shares).astype(np.float32))

    def bytes_of(self, features: Any, parameters: Any) -> Any:
        """Return the expected bytes of a picture, a scalar.

        It is differentiable by features and by the codebook's parameters.
        """
        centroids = ops.sort(TOP * ops.sigmoid(parameters))
        distance = ops.square(features[..., None] - centroids)
        soft = ops.softmax(-self._sharpness * distance)
        hard = ops.stop_gradient(ops.argmin(distance, axis=-1))
        above = ops.pad(hard[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0]])
        left = ops.pad(hard[:, :, :-1], [[0, 0], [0, 0], [1, 0], [0, 0]])
        channel = ops.arange(self._shape[2], dtype=hard.dtype)
        rows = ops.take(ops.convert_to_tensor(self.bits), (channel * self._n + above) * self._n + left, axis=0)
        return ops.mean(ops.sum(soft * rows, axis=(1, 2, 3, 4))) / 8.0
