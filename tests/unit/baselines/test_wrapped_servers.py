"""Servers in front of a network that wants something else: no picture, one, and what no device sends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from baselines.schemes.agilenn.serving import Completed
from baselines.schemes.full_offload.reduced import Reduced
from harness.contracts.errors import BenchError
from harness.contracts.scheme import ServerModel


class Network:
    """Sums what it is sent, and takes `symbols` of them only."""

    classes = 2

    def __init__(self, symbols: int) -> None:
        self.symbols = symbols

    def warm_up(self) -> None:
        """Need nothing."""

    def infer(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn uint8 [symbols] into float32 logits [2]."""
        return self.infer_batch(symbols[None])[0]

    def infer_batch(self, symbols: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn uint8 [n, symbols] into float32 logits [n, 2]."""
        if symbols.shape[1] != self.symbols:
            raise BenchError("too few", cure="send more")
        total = symbols.sum(axis=1, dtype=np.float32)
        return np.stack([total, -total], axis=1)


SERVERS = [
    pytest.param(Completed(Network(2 * 2 * 3), (2, 2, 3), {1: 5}), 2 * 2 * 2, 4 * 5, id="channels left out"),
    pytest.param(Reduced(Network(2 * 2 * 3), (6, 6, 3), 3), 6 * 6 * 3, 0, id="scaled up"),
]


@pytest.mark.parametrize(("server", "symbols", "constant"), SERVERS)
def test_it_takes_what_it_is_said_to_take(server: ServerModel, symbols: int, constant: int) -> None:
    assert server.symbols == symbols
    assert server.infer(np.zeros(symbols, np.uint8)).tolist() == [constant, -constant]
    assert server.infer_batch(np.zeros((3, symbols), np.uint8)).shape == (3, 2)
    assert server.infer_batch(np.zeros((0, symbols), np.uint8)).shape == (0, 2)


@pytest.mark.parametrize(("server", "symbols", "constant"), SERVERS)
def test_what_is_too_short_or_too_long_is_refused(server: ServerModel, symbols: int, constant: int) -> None:
    for n in (0, 1, symbols - 1, symbols + 1, 2 * 2 * 3):  # the last is what the network behind it takes
        with pytest.raises(BenchError):
            server.infer(np.zeros(n, np.uint8))
