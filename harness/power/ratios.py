"""Computes the energy of schemes as ratios to one of them: what can be set beside the paper's Fig 19.

The paper states neither instrument nor rail, and its energies over latencies give 2 to 3 W, more than board and module
can draw at 3.3 V: its mJ can't be compared with anyone's, its ratios can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class EnergyRatio:
    """Holds one scheme against the base, here and published; None where either lacks a value."""

    scheme: str
    energy_uj: float | None  # here
    ratio: float | None
    published_ratio: float | None


def energy_ratios(
    energies_uj: Mapping[str, float | None], published_mj: Mapping[str, float], base: str = "agilenn"
) -> list[EnergyRatio]:
    """Return a row a scheme of `energies_uj`, in its order: its energy of an inference over that of `base`."""
    own_base, published_base = energies_uj.get(base), published_mj.get(base)
    rows = []
    for name, mine in energies_uj.items():
        theirs = published_mj.get(name)
        rows.append(
            EnergyRatio(
                scheme=name,
                energy_uj=mine,
                ratio=mine / own_base if mine is not None and own_base else None,
                published_ratio=theirs / published_base if theirs is not None and published_base else None,
            )
        )
    return rows
