"""Reads what a training cost, as summary.toml and manifests have it: floating-point operations, processor seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Cost:
    """Holds what the whole training of a scheme took; None: its training did not record it."""

    flop: float | None = None
    cpu_s: float | None = None

    @property
    def texts(self) -> tuple[str, str]:
        """Return PFLOP and CPU seconds as tables have them."""
        pflop = UNKNOWN if self.flop is None else f"{self.flop / 1e15:.3g}"
        return pflop, UNKNOWN if self.cpu_s is None else f"{self.cpu_s:,.0f}"

    @property
    def told(self) -> str:
        """Return both in one, such as `0.204 PFLOP, 9,120 CPU s`."""
        if self.flop is None and self.cpu_s is None:
            return f"FLOP and CPU s {UNKNOWN}"
        pflop, cpu_s = self.texts
        return f"{pflop}{'' if self.flop is None else ' PFLOP'}, {cpu_s}{'' if self.cpu_s is None else ' CPU s'}"


def cost_of(facts: Mapping[str, Any]) -> Cost:
    """Return the cost that a scheme's `training` tells, in a manifest or a summary.toml."""
    told = facts.get("training")
    known = told if isinstance(told, Mapping) else {}
    return Cost(*(_number(known.get(name)) for name in ("flop", "cpu_s")))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0 else None
