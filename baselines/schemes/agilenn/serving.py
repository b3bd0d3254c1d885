"""Serves AgileNN's remote network, with the constant channels put back that the device leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from baselines.export.in_front import InFront, Symbols
from harness.contracts.description import SERVER, DeviceDescription
from harness.contracts.scheme import ServerModel


class Completed(InFront):
    """Puts constant channels between those that were sent, before the network sees them."""

    def __init__(self, network: ServerModel, shape: tuple[int, int, int], constant: dict[int, int]) -> None:
        """Take the network, [h, w, channels] of what it wants, and the symbol of each channel that is not sent."""
        self._sent = [c for c in range(shape[2]) if c not in constant]
        super().__init__(network, shape[0] * shape[1] * len(self._sent))
        self._shape = shape
        self._whole = np.zeros(shape, dtype=np.uint8)
        for channel, symbol in constant.items():
            self._whole[:, :, channel] = symbol

    def _made(self, symbols: Symbols) -> Symbols:
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
