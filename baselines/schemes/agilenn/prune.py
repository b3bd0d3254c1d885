"""Leaves out of an exported device half what never says anything: sent channels that are constant, unused symbols.

A channel counts as constant where every training picture looked at gives one symbol, over the whole map. The server
puts that symbol back (serving.py), so its network sees what it would have seen, and answers are the same bit for bit as
long as the channel stays constant. A symbol is unused where no value of a feature leads to it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from baselines.networks.folding import Weights
from harness.contracts.description import DeviceDescription

PICTURES = 10_000  # training pictures, at most, on which a channel must be constant

MIX = "extract_mix_conv"  # the device's layer whose outputs are the channels


def constant_channels(symbols: npt.NDArray[np.uint8], channels: int) -> dict[int, int]:
    """Return the constant ones of the sent channels, and the symbol that each always has.

    Args:
        symbols: uint8 [pictures, height * width * channels], in the order height, width, channel.
    """
    flat = symbols.reshape(-1, channels)
    low, high = flat.min(axis=0), flat.max(axis=0)
    found = {int(c): int(low[c]) for c in np.flatnonzero(low == high)}
    if len(found) == channels:  # something has to be sent
        found.pop(channels - 1)
    return found


def kept_of(channels: int, constant: dict[int, int]) -> list[int]:
    """Return the sent channels that are left, ascending."""
    return [c for c in range(channels) if c not in constant]


def widened(weights: Weights, description: DeviceDescription) -> Weights:
    """Return the weights of a narrowed device half with the constant channels back, each with its value as bias."""
    if not description.constant_channels:
        return weights
    k, whole = description.first_channel, description.channels + len(description.constant_channels)
    kept = kept_of(whole, dict.fromkeys(description.constant_channels, 0))
    columns = [*range(k), *(k + c for c in kept)]
    kernel, bias = weights[f"{MIX}/kernel"], weights[f"{MIX}/bias"]
    wide = np.zeros((*kernel.shape[:-1], k + whole), dtype=np.float32)
    values = np.zeros(k + whole, dtype=np.float32)
    wide[..., columns], values[columns] = kernel, bias
    for channel, symbol in zip(description.constant_channels, description.constant_symbols, strict=True):
        values[k + channel] = description.centroids[symbol]
    return weights | {f"{MIX}/kernel": wide, f"{MIX}/bias": values}


def without_unused_symbols(description: DeviceDescription) -> DeviceDescription:
    """Return the description with an alphabet of those symbols only that a feature's value can lead to.

    The order of the others stays, so the server's values are the same. Two symbols are the least that there is.
    """
    used = sorted({*description.symbol_table, *description.constant_symbols})
    if len(used) in (1, description.n_symbols):
        return description
    number = {symbol: i for i, symbol in enumerate(used)}
    return description.model_copy(
        update={
            "n_symbols": len(used),
            "symbol_table": [number[symbol] for symbol in description.symbol_table],
            "centroids": [description.centroids[symbol] for symbol in used],
            "constant_symbols": [number[symbol] for symbol in description.constant_symbols],
        }
    )
