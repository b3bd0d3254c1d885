"""Holds the settings of one training run, as the user gave them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.contracts.errors import BenchError


@dataclass(frozen=True)
class TrainOptions:
    """Holds what the user asked for; None means that the recipe decides."""

    dataset: str
    profile: str = "compact"
    epochs: int | None = None
    seed: int | None = None
    out: Path | None = None
    data_dir: Path | None = None
    resume: bool = False
    recipe: Path | None = None
    preset: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    export: bool = True


def parse_overrides(pairs: list[str]) -> dict[str, str]:
    """Turn `["losses.rho=0.7"]` into `{"losses.rho": "0.7"}`.

    Raises:
        BenchError: a pair has no `=` or no key.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise BenchError(f"--set {pair!r} is no key=value", cure="write e.g. --set losses.rho=0.7")
        found[key.strip()] = value.strip()
    return found
