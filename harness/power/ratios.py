"""Energy of schemes as ratios to one of them: what can be set beside the paper's Fig 19.

The paper states neither instrument nor rail, and its energies over latencies give 2 to 3 W, more than board and module
can draw at 3.3 V: its mJ can't be compared with anyone's, its ratios can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class EnergyRatio:
    """One scheme against the base, here and published; None where either lacks a value."""

    scheme: str
    energy_uj: float | None  # median here
    n: int
    ratio: float | None
    published_ratio: float | None


def energy_ratios(
    samples_uj: Mapping[str, list[float | None]], published_mj: Mapping[str, float], base: str = "agilenn"
) -> list[EnergyRatio]:
    """A row a scheme of `samples_uj`, in its order: the median over samples that have a value, over that of `base`."""
    medians = {name: _median(values) for name, values in samples_uj.items()}
    own_base, published_base = medians.get(base), published_mj.get(base)
    rows = []
    for name, values in samples_uj.items():
        mine, theirs = medians[name], published_mj.get(name)
        rows.append(
            EnergyRatio(
                scheme=name,
                energy_uj=mine,
                n=sum(value is not None for value in values),
                ratio=mine / own_base if mine is not None and own_base else None,
                published_ratio=theirs / published_base if theirs is not None and published_base else None,
            )
        )
    return rows


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
