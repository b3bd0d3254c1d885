"""Reads numbers with units as people write them (`30 ms`, `5%`, `320 KiB`, `12.5 mJ`) in the unit that a name ends
with.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from harness.contracts.errors import BenchError

# The unit that a name's end stands for, and what may be written instead: factor to it.
_KNOWN: dict[str, dict[str, float]] = {
    "_ms": {"us": 1e-3, "ms": 1.0, "s": 1e3},
    "_uj": {"nJ": 1e-3, "uJ": 1.0, "mJ": 1e3, "J": 1e6},
    "_bytes": {"B": 1.0, "kB": 1e3, "MB": 1e6, "KiB": 1024.0, "MiB": 1024.0**2},
    "_bps": {"bit/s": 1.0, "kbit/s": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9},
    "_hz": {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6},
    "_cycles": {"cycles": 1.0},
}
_WRITTEN = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)\s*([A-Za-zµ/]*)\s*")


def in_unit_of(name: str, value: float | str) -> float:
    """Return `value` in the unit that `name` ends with: ("total_ms", "0.03 s") -> 30.0. A bare number is in that unit.

    Raises:
        BenchError: the name has no unit, or the value is none of it, negative or not finite.
    """
    units = next((units for end, units in _KNOWN.items() if name.endswith(end)), None)
    if units is None:
        raise BenchError(f"'{name}' has no unit", cure=f"name it with one of {', '.join(_KNOWN)} at its end")
    unit = next(u for u, factor in units.items() if factor == 1.0)
    if isinstance(value, str):
        written = _WRITTEN.fullmatch(value)
        factor = units.get((written[2] or unit).replace("µ", "u")) if written else None
        if written is None or factor is None:
            raise BenchError(f"'{name}' can't be '{value[:40]}'", cure=f"give a number with one of {', '.join(units)}")
        value = float(written[1].replace("_", "")) * factor
    if isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise BenchError(f"'{name}' can't be {value}", cure=f"give a number of {unit} from 0")
    return float(value)


def duration_ms(text: str) -> float:
    """Read a time, `30ms`, `0.2 s` or `30` (ms), as milliseconds above 0.

    Raises:
        BenchError: it is no such time.
    """
    try:
        value = in_unit_of("time_ms", text)
    except BenchError:
        raise BenchError(f"'{text[:40]}' is no time", cure="give one such as 30ms or 0.2s") from None
    if value <= 0:
        raise BenchError(f"a time of '{text}' is not above 0", cure="give one such as 30ms")
    return value


def share(text: str) -> float:
    """Read a share, `5%` or `0.05`, as a number above 0 and at most 1.

    Raises:
        BenchError: the text is no such share.
    """
    number = text.strip()
    try:
        value = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        raise BenchError(f"'{text}' is no share", cure="give one such as 5% or 0.05") from None
    if not 0 < value <= 1:
        raise BenchError(f"share '{text}' is out of range", cure="give one above 0% and up to 100%")
    return value


def share_or_none(text: str) -> float | str:
    """Read a share as `share` does; the word `none` stays."""
    return text if text == "none" else share(text)


def _limits(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    try:
        return {name: in_unit_of(str(name), _scalar(str(name), limit)) for name, limit in value.items()}
    except BenchError as e:
        raise ValueError(str(e)) from e


def _scalar(name: str, value: Any) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BenchError(f"'{name}' is no limit", cure='give a number with its unit, such as "30 ms"')
    return value


# `[limits]` of a bench file: by name, in the unit of the name.
Limits = Annotated[dict[str, float], BeforeValidator(_limits)]
