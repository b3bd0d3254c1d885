"""Makes tables of 256 bytes: what TensorFlow Lite's reference kernel makes of each value that int8 has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.contracts.errors import BenchError

from . import gemmlowp
from .gemmlowp import divide_by_power, doubling_high, multiply, quantize_multiplier, saturated


@dataclass(frozen=True)
class Scales:
    """Holds the scale and zero point of an operator's input and output."""

    x: float
    x_zero: int
    y: float
    y_zero: int


def table(one: Callable[[int], int]) -> np.ndarray:
    """Return int8 [256], by the input's bits as an unsigned byte."""
    values = [one(b - 256 if b > 127 else b) for b in range(256)]
    return np.clip(values, -128, 127).astype(np.int8)


def logistic(s: Scales) -> np.ndarray:
    """Return the table of 1 / (1 + exp(-x)), output scale 1/256 and zero point -128."""
    return _saturating(s, gemmlowp.logistic, 8, -128, -128)


def tanh(s: Scales) -> np.ndarray:
    """Return the table of tanh(x), output scale 1/128 and zero point 0."""
    return _saturating(s, gemmlowp.tanh, 7, 0, -128)


def _saturating(s: Scales, function: Callable[[int], int], bits: int, zero: int, least: int) -> np.ndarray:
    """Return the table of a function of values with 4 integer bits, which is at its limits from a radius on."""
    multiplier, shift = quantize_multiplier(s.x * 2.0**27)
    radius = int(15 * 2.0**27 / 2.0**shift)

    def one(x: int) -> int:
        d = x - s.x_zero
        if abs(d) >= radius:
            return least if d < 0 else 127
        return divide_by_power(function(multiply(d, multiplier, shift)), 31 - bits) + zero

    return table(one)


def leaky_relu(s: Scales, alpha: float) -> np.ndarray:
    """Return the table of x where it is positive, alpha * x elsewhere."""
    x, y = np.float32(s.x), np.float32(s.y)  # TensorFlow Lite divides scales in single precision
    same, down = quantize_multiplier(float(x / y)), quantize_multiplier(float(x * np.float32(alpha) / y))

    def one(x: int) -> int:
        d = x - s.x_zero
        return s.y_zero + multiply(d, *(same if d >= 0 else down))

    return table(one)


def hard_swish(s: Scales, who: str) -> np.ndarray:
    """Return the table of x * relu6(x + 3) / 6, in TensorFlow Lite's 16-bit arithmetic."""
    hires = np.float32(s.x) / np.float32(128)
    out_multiplier, out_exponent = quantize_multiplier(float(hires / np.float32(s.y)))
    relu_multiplier, relu_exponent = quantize_multiplier(float(hires / np.float32(3 / 32768)))
    if out_exponent > 0:
        raise BenchError(f"{who} scales its result up by {s.x / s.y:.3g}", "quantise the model again")
    out_16, relu_16 = (min(32767, (m + (1 << 15)) >> 16) for m in (out_multiplier, relu_multiplier))

    def one(x: int) -> int:
        value = (x - s.x_zero) * 128
        preshift = doubling_high(value, out_16, 16)
        gate = value
        if relu_exponent > 0:
            gate = saturated(gate << (relu_exponent - 1), 16)
        gate = doubling_high(gate, relu_16, 16)
        if relu_exponent > 0:
            gate = saturated(gate << 1, 16)
        elif relu_exponent < 0:
            gate = divide_by_power(gate, -relu_exponent)
        product = ((gate + (1 << 15)) >> 1) * preshift
        product = product >> 15 if product >= 0 else -(-product >> 15)  # towards zero
        return divide_by_power(product, -out_exponent) + s.y_zero

    return table(one)
