"""Works TensorFlow Lite's own fixed-point arithmetic in exact integers, for operators that do what its reference does.

Functions and their names are those of gemmlowp (`fixedpoint.h`) and of TensorFlow Lite's reference kernels; values are
raw 32-bit integers. They are used at generation only: the board gets tables.
"""

from __future__ import annotations

from math import exp, floor, frexp

INT32_MAX, INT32_MIN = (1 << 31) - 1, -(1 << 31)
ONE = INT32_MAX  # 1.0 with no integer bits


def saturated(value: int, bits: int = 32) -> int:
    """Return the value within a signed integer of `bits` bits."""
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, value))


def doubling_high(a: int, b: int, bits: int = 32) -> int:
    """Return a * b / 2**(bits - 1), half up (SaturatingRoundingDoublingHighMul)."""
    return saturated((a * b + (1 << (bits - 2))) >> (bits - 1), bits)


def divide_by_power(value: int, exponent: int) -> int:
    """Return value / 2**exponent, half away from zero (RoundingDivideByPOT)."""
    if exponent == 0:
        return value
    return (value + (1 << (exponent - 1)) - (value < 0)) >> exponent


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Return (multiplier, shift) with real = multiplier / 2**31 * 2**shift, the multiplier within 2**30..2**31
    (QuantizeMultiplier).
    """
    if real == 0:
        return 0, 0
    fraction, shift = frexp(real)
    multiplier = floor(fraction * 2.0**31 + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = 1 << 30, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def multiply(value: int, multiplier: int, shift: int) -> int:
    """Scale a value with two roundings, as MultiplyByQuantizedMultiplier does."""
    return divide_by_power(doubling_high(value * (1 << max(shift, 0)), multiplier), max(-shift, 0))


def _rescale(raw: int, up: int) -> int:
    return saturated(raw << up)


def exp_on_negative_values(a: int, integer_bits: int) -> int:
    """Return exp(a) for a <= 0 with `integer_bits` integer bits; the result has none."""
    if a == 0:
        return ONE
    fractional = 31 - integer_bits
    quarter = 1 << (fractional - 2)
    rest = (a & (quarter - 1)) - quarter
    x = _rescale(rest, integer_bits) + (1 << 28)
    x2 = doubling_high(x, x)
    x3, x4 = doubling_high(x2, x), doubling_high(x2, x2)
    third, constant = floor(2.0**31 / 3 + 0.5), floor(exp(-0.125) * 2.0**31 + 0.5)
    tail = divide_by_power(doubling_high(divide_by_power(x4, 2) + x3, third) + x2, 1)
    result = constant + doubling_high(constant, x + tail)
    for exponent in range(-2, integer_bits):
        if (rest - a) & (1 << (fractional + exponent)):
            result = doubling_high(result, floor(exp(-(2.0**exponent)) * 2.0**31 + 0.5))
    return result


def _reciprocal(a: int) -> int:
    """Return 2 / (1 + a) for a in 0..1, two integer bits, by three steps of Newton and Raphson."""
    total = a + ONE
    half = (total + 1) >> 1 if total >= 0 else -((-total + 1) >> 1)
    x = floor(48 / 17 * 2.0**29 + 0.5) + doubling_high(half, -floor(32 / 17 * 2.0**29 + 0.5))
    for _ in range(3):
        x += _rescale(doubling_high(x, (1 << 29) - doubling_high(half, x)), 2)
    return x


def logistic(a: int) -> int:
    """Return 1 / (1 + exp(-a)) for a with 4 integer bits; the result has none."""
    if a == 0:
        return 1 << 30
    positive = _rescale(_reciprocal(exp_on_negative_values(-abs(a), 4)), 1)
    return positive if a > 0 else ONE - positive


def tanh(a: int) -> int:
    """Return tanh(a) for a with 4 integer bits; the result has none."""
    if a == 0:
        return 0
    size = _rescale(_reciprocal(exp_on_negative_values(-abs(a), 5)) - (1 << 29), 2)
    return size if a > 0 else -size
