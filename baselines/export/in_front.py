"""Serves what is sent in another form than the network behind takes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import BenchError
from harness.contracts.scheme import ServerModel

Symbols = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]


class InFront:
    """Makes what the network takes, [n, its symbols], of what a device sends, [n, `symbols`]; a server says how."""

    def __init__(self, network: ServerModel, symbols: int) -> None:
        self._network = network
        self.symbols, self.classes = symbols, network.classes

    def warm_up(self) -> None:
        """Warm the network up as it does itself."""
        self._network.warm_up()

    def infer(self, symbols: Symbols) -> Logits:
        """Turn uint8 [symbols] into float32 logits [classes]. Raises as `infer_batch`."""
        return self._network.infer(self._checked(symbols[None, :])[0])

    def infer_batch(self, symbols: Symbols) -> Logits:
        """Turn uint8 [n, symbols] into float32 logits [n, classes].

        Raises:
            BenchError: no device of this scheme sends so many, or what the network refuses.
        """
        return self._network.infer_batch(self._checked(symbols))

    def _checked(self, symbols: Symbols) -> Symbols:
        if symbols.shape[-1] != self.symbols:
            raise BenchError(f"{symbols.shape[-1]} symbols, the server wants {self.symbols}", cure="check the payload")
        return self._made(symbols)

    def _made(self, symbols: Symbols) -> Symbols:
        raise NotImplementedError
