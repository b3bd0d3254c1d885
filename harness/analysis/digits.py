"""Decides how many digits a number is shown with: as many as decide, and never an exponent."""

from __future__ import annotations

from decimal import Decimal

_MOST = 6  # decimals, after which two numbers count as equal


def significant(value: float, digits: int = 3, *, signed: bool = False) -> str:
    """Return `value` rounded to so many significant digits, written out: 1234567 -> `1,230,000`, 0.0123 -> `0.0123`."""
    return format(Decimal(f"{value:.{digits}g}"), "+,f" if signed else ",f")


def told_apart(value: float, limit: float, digits: int = 1) -> str:
    """Return `value` with `digits` decimals, or as many more as it takes to look other than `limit` does."""
    for more in range(digits, _MOST + 1):
        text = f"{value:,.{more}f}"
        if float(text.replace(",", "")) != float(f"{limit:.{more}f}"):
            return text
    return f"{value:,.{digits}f}"
