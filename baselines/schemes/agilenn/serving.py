"""Serves AgileNN's remote network, with the constant channels put back that the device leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.contracts.description import SERVER, DeviceDescription
from harness.contracts.errors import BenchError
from harness.contracts.scheme import ServerModel

Symbols = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]


class Completed:
    """Puts constant channels between those that were sent, before the network sees them."""

    def __init__(self, network: ServerModel, shape: tuple[int, int, int], constant: dict[int, int]) -> None:
        """Take the network, [h, w, channels] of what it wants, and the symbol of each channel that is not sent."""
        self._network, self._shape = network, shape
        self.classes = network.classes
        self._sent = [c for c in range(shape[2]) if c not in constant]
        self.symbols = shape[0] * shape[1] * len(self._sent)
        self._whole = np.zeros(shape, dtype=np.uint8)
        for channel, symbol in constant.items():
            self._whole[:, :, channel] = symbol

    def warm_up(self) -> None:
        """Warm the network up as it does itself."""
        self._network.warm_up()

    def infer(self, symbols: Symbols) -> Logits:
        """Turn uint8 [symbols] into float32 logits [classes]."""
        return self._network.infer(self._complete(symbols[None, :])[0])

    def infer_batch(self, symbols: Symbols) -> Logits:
        """Turn uint8 [n, symbols] into float32 logits [n, classes]."""
        return self._network.infer_batch(self._complete(symbols))

    def _complete(self, symbols: Symbols) -> Symbols:
        if symbols.shape[-1] != self.symbols:
            raise BenchError(f"{symbols.shape[-1]} symbols, the server wants {self.symbols}", cure="check the payload")
        whole = np.repeat(self._whole[None], len(symbols), axis=0)
        whole[..., self._sent] = symbols.reshape(len(symbols), *self._shape[:2], len(self._sent))
        return whole.reshape(len(symbols), self._whole.size)  # -1 is undecided where there are none


def load_remote(
    folder: Path, description: DeviceDescription, size: tuple[int, int], values: Sequence[float]
) -> ServerModel:
    """Load the remote network in `folder` for maps of `size` [h, w], each symbol valued by `values`.

    Raises:
        BenchError: the file is damaged or of another network, or does not fit the description.
    """
    from baselines.export.serving import load_server  # noqa: PLC0415

    d = description
    constant = dict(zip(d.constant_channels, d.constant_symbols, strict=True))
    shape = (*size, d.channels + len(constant))
    network = load_server(folder / SERVER, shape, d.classes, list(values))
    return Completed(network, shape, constant) if constant else network
