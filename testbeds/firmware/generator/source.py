"""Writes C text: arrays, constants and words."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def c_array(name: str, values: np.ndarray, kind: str, per_line: int = 24, align: int = 32) -> list[str]:
    """Return a constant array, aligned to a cache line so that its line fills do not depend on what lies before it."""
    flat = values.reshape(-1)
    lines = [f"static const _Alignas({align}) {kind} {name}[{max(1, flat.size)}] = {{"]
    if flat.size == 0:
        lines.append("  0")
    for at in range(0, flat.size, per_line):
        lines.append("  " + ", ".join(c_int(int(v)) for v in flat[at : at + per_line]) + ",")
    lines.append("};")
    return lines


def c_int(value: int) -> str:
    """Return an integer constant of type int (INT32_MIN has no literal of its own)."""
    return "(-2147483647 - 1)" if value == -(1 << 31) else str(value)


def indent(lines: Iterable[str], levels: int = 1) -> list[str]:
    return ["  " * levels + line if line else line for line in lines]


def words(value: int) -> str:
    """Return two equal halves of a signed value as an unsigned word constant."""
    half = value & 0xFFFF
    return f"0x{half << 16 | half:08X}u"


def round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def halves(values: np.ndarray) -> np.ndarray:
    """Return int16 values, an even count, as the 32-bit words that a little-endian load sees."""
    flat = np.ascontiguousarray(values, dtype="<i2").reshape(-1)
    return flat.view("<i4")
