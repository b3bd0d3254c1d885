"""Reads the plan of the training sweeps: values of each axis and the budget of a point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from harness.contracts.toml import Strict, read_toml

SHIPPED = Path(__file__).with_name("plan.toml")


class Budget(Strict):
    """Says how long a point trains."""

    max_train: int = Field(ge=0)
    epochs: int = Field(ge=1, le=10_000)
    finish_epochs: int = Field(ge=0, le=10_000)
    warmup_epochs: float = Field(ge=0)
    attention_samples: int = Field(ge=1)

    def overrides(self) -> dict[str, str]:
        """Return the budget as keys of the recipe."""
        keys = ("max_train", "epochs", "finish_epochs", "warmup_epochs")
        return {key: str(getattr(self, key)) for key in keys}


class Plan(Strict):
    """Says what is tried. `values`: by axis; `pareto`: by candidate, keys of the recipe."""

    budget: Budget
    values: dict[str, list[float | str]]
    pareto: dict[str, dict[str, Any]] = Field(default_factory=dict)


def load(path: Path | None = None) -> Plan:
    """Read the plan in `path`, else the shipped one.

    Raises:
        BenchError: unreadable, or a wrong key.
    """
    return read_toml(path or SHIPPED, Plan)
