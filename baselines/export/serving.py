"""Runs the remote half of a scheme as the edge server calls it: symbols in, logits out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from baselines.networks.arrays import Arrays, use_one_thread
from baselines.networks.folding import Weights
from baselines.networks.store import read_network
from baselines.networks.structure import Structure, Tensor
from harness.contracts.errors import BenchError

_WARM_UP_CALLS = 20
_BATCH = 25  # of a whole test set: the patches of so many maps stay in the processor's cache
_CURE = "restore all files of one training"


class NetworkServer:
    """Runs a network behind a table that turns each symbol into a value.

    It computes with NumPy on one thread, so that results never depend on how many cores the host has.

    Args:
        forward: the network, values [n, *input_shape] to logits [n, classes].
        weights: all of its folded weights and no others.
        table: the value of each symbol.

    Raises:
        ValueError: the weights are not the network's.
    """

    def __init__(
        self,
        forward: Callable[[Tensor, Structure], Tensor],
        input_shape: tuple[int, int, int],
        classes: int,
        weights: Weights,
        table: npt.NDArray[np.float32],
    ) -> None:
        use_one_thread()
        self.classes = classes
        self.symbols = int(np.prod(input_shape))
        self._forward, self._shape, self._table = forward, input_shape, table
        self._arrays = Arrays(weights)
        self.infer(np.zeros(self.symbols, np.uint8))
        if left := self._arrays.unused():
            raise ValueError(f"arrays do not match the network, first: {left[0]}")

    def warm_up(self) -> None:
        """Run until the service time is the same as that of every later call."""
        for _ in range(_WARM_UP_CALLS):
            self.infer(np.zeros(self.symbols, np.uint8))

    def infer(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn uint8 [symbols] into the float32 logits [classes] of one sample.

        Raises:
            BenchError: the number of symbols is wrong, or one of them is outside the alphabet.
        """
        logits: npt.NDArray[np.float32] = self._run(symbols[None, :])[0]
        return logits

    def infer_batch(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn uint8 [n, symbols] into float32 logits [n, classes]. Raises what `infer` raises."""
        parts = [self._run(symbols[i : i + _BATCH]) for i in range(0, len(symbols), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, self.classes), np.float32)

    def _run(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if symbols.dtype != np.uint8 or symbols.ndim != 2 or symbols.shape[1] != self.symbols:
            raise BenchError(f"{symbols.shape[-1]} symbols, the network wants {self.symbols}", cure="check the payload")
        if symbols.size and int(symbols.max()) >= len(self._table):
            raise BenchError(f"symbol {int(symbols.max())} of {len(self._table)}", cure="check the payload")
        values = self._table[symbols].reshape(-1, *self._shape)
        logits: npt.NDArray[np.float32] = self._forward(values, self._arrays)
        return logits


def load_server(path: Path, expect_input: tuple[int, int, int], classes: int, table: list[float]) -> NetworkServer:
    """Load `server.npz` as a server for inputs of `expect_input` [h, w, c], each symbol valued by `table`.

    Raises:
        BenchError: the file is damaged or of another network, or does not fit the description.
    """
    spec, weights = read_network(path)
    if spec.input_shape != expect_input or spec.classes != classes:
        raise BenchError(
            f"{path} takes {spec.input_shape} and gives {spec.classes} classes; the description says "
            f"{expect_input} and {classes}",
            cure="restore both files of one training",
        )
    return served(path, spec.forward, expect_input, classes, weights, table)


def served(
    path: Path,
    forward: Callable[[Tensor, Structure], Tensor],
    input_shape: tuple[int, int, int],
    classes: int,
    weights: Weights,
    table: list[float],
) -> NetworkServer:
    """Return a server for what was read from `path`.

    Raises:
        BenchError: the weights are not the network's.
    """
    try:
        return NetworkServer(forward, input_shape, classes, weights, np.asarray(table, dtype=np.float32))
    except ValueError as e:
        raise BenchError(f"{path} does not hold the weights of its network ({e})", cure=_CURE) from e
