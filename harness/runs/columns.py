"""Declares the columns of a sample (name, type and unit), by which journal, CSV and Parquet are checked.

A new column is declared where it belongs (a metric in `harness.runs.measurements`, a setting in
`harness.runs.sample`), gets its type here or there, and is described in
docs/results.md; a test holds the three together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["whole", "real", "flag", "text"]

_MOST_WHOLE = 2**63 - 1
_MOST_TEXT = 4000
_UNITS = {
    "_ms": "ms",
    "_us": "us",
    "_s": "s",
    "_bps": "bit/s",
    "_hz": "Hz",
    "_uj": "uJ",
    "_mw": "mW",
    "_bytes": "B",
    "_cycles": "cycles",
    "_share": "1",
}


@dataclass(frozen=True)
class Column:
    """Describes one column; `needed` = never null, not even in a sample that failed."""

    name: str
    kind: Kind
    needed: bool = False

    @property
    def unit(self) -> str:
        """Return the unit that its name says; empty for names, flags and counts."""
        if self.kind in ("flag", "text"):
            return ""
        return next((unit for end, unit in _UNITS.items() if self.name.endswith(end)), "")

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value; return None when nothing is."""
        if value is None:
            return f"'{self.name}' is missing" if self.needed else None
        match self.kind:
            case "flag":
                fits = isinstance(value, bool)
            case "whole":
                fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST_WHOLE
            case "real":
                number = isinstance(value, int | float) and not isinstance(value, bool)
                fits = number and abs(value) <= 1e300 and math.isfinite(value)
            case "text":
                fits = isinstance(value, str) and len(value) <= _MOST_TEXT
        return None if fits else f"'{self.name}' is no {_SPOKEN[self.kind]} (got {str(value)[:30]!r})"


_SPOKEN: Mapping[Kind, str] = {"whole": "whole number", "real": "number", "flag": "true or false", "text": "text"}


def declared(kinds: Mapping[str, Kind], *, needed: bool = False) -> dict[str, Column]:
    """Make columns from names and kinds."""
    return {name: Column(name, kind, needed) for name, kind in kinds.items()}
