"""Works out fixed-point multipliers, with the one rounding that all kernels share.

Every operator that scales works out

    y = clamp(floor((acc * m + 2**(31 + s)) / 2**(32 + s)) + zero_point, low, high)

that is one multiplication by m / 2**(32 + s) in exact integer arithmetic and one rounding, half up (towards plus
infinity). TensorFlow Lite's reference kernels round twice for most of these operators, and so differ by at most 1 in a
small share of the results (docs/kernels.md has the figures).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.contracts.errors import BenchError

MAX_SHIFT = 22  # rounding and zero point, shifted, must stay in 31 bits beside |acc * m / 2**32| < 2**30


@dataclass(frozen=True)
class Requantizer:
    """Holds one shift for a layer and one multiplier for each channel.

    With `pre` > 0 (a scale of 0.25 or more), acc is first saturated to 32 - pre bits and shifted left by pre, exactly;
    what saturates there lies outside int8 anyway. The scale of channel c is multipliers[c] / 2**(32 + shift - pre).
    """

    multipliers: np.ndarray
    shift: int
    pre: int
    zero_point: int

    @property
    def addend(self) -> int:
        """Return the rounding constant and zero point, as added to the upper word of acc * multiplier."""
        return (1 << (self.shift - 1)) + (self.zero_point << self.shift)


def requantizer(scales: np.ndarray, zero_point: int, who: str) -> Requantizer:
    """Return multipliers for the real factors `scales` (input scale x weight scale / output scale), one a channel.

    The shift is the layer's: the largest for which every multiplier stays below 2**31.

    Raises:
        BenchError: a factor is not positive and finite, or too large to be meant.
    """
    scales = np.asarray(scales, np.float64)
    if scales.size == 0 or not np.all(np.isfinite(scales)) or np.any(scales <= 0):
        raise BenchError(f"{who} has a scale that is not positive", "quantise the model again")
    largest = float(scales.max())
    if largest >= 2.0**15:
        raise BenchError(f"{who} scales its result up by {largest:.3g}", "quantise the model again")
    shift = MAX_SHIFT
    while round(largest * 2.0 ** (32 + shift)) >= 1 << 31 and shift > -31:
        shift -= 1
    pre = max(0, 1 - shift)
    multipliers = np.floor(scales * 2.0 ** (32 + shift) + 0.5).astype(np.int64)
    return Requantizer(multipliers, shift + pre, pre, zero_point)


def activation_range(kind: str, scale: float, zero_point: int, who: str) -> tuple[int, int]:
    """Return (low, high) of the output for a fused activation.

    Raises:
        BenchError: the activation is none of none, ReLU and ReLU6.
    """
    if kind == "NONE":
        return -128, 127
    low = max(-128, zero_point)
    if kind == "RELU":
        return low, 127
    if kind == "RELU6":
        return low, min(127, zero_point + int(np.floor(6.0 / scale + 0.5)))
    raise BenchError(f"{who} has the activation {kind}", "use none, ReLU or ReLU6")
