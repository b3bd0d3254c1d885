"""Serves pictures that were scaled up before they were sent."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import BenchError
from harness.contracts.scheme import ServerModel


class Reduced:
    """Takes the middle pixel of each `reach` x `reach`: what bilinear scaling by an odd factor left as it was.

    Nothing is lost by the detour, and nothing is gained: the larger picture holds no more than the smaller one.
    """

    def __init__(self, network: ServerModel, shape: tuple[int, int, int], reach: int) -> None:
        self._network, self._shape, self._reach = network, shape, reach
        self.classes = network.classes
        self.symbols = int(np.prod(shape))

    def warm_up(self) -> None:
        """Warm the network up as it does itself."""
        self._network.warm_up()

    def infer(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn uint8 [symbols] into float32 logits [classes]."""
        return self._network.infer(self._small(symbols[None, :])[0])

    def infer_batch(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn uint8 [n, symbols] into float32 logits [n, classes]."""
        return self._network.infer_batch(self._small(symbols))

    def _small(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if symbols.shape[-1] != self.symbols:
            raise BenchError(f"{symbols.shape[-1]} symbols, the server wants {self.symbols}", cure="check the payload")
        pictures = symbols.reshape(len(symbols), *self._shape)
        middle = self._reach // 2
        small = np.ascontiguousarray(pictures[:, middle :: self._reach, middle :: self._reach])
        return small.reshape(len(symbols), math.prod(small.shape[1:]))
