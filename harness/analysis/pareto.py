"""Finds the Pareto front: what no other beats in both cost and worth. Every table, figure and search asks here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Choice(NamedTuple):
    """Holds one scheme (or setting of one): latency in ms (less is better) against accuracy in % (more is better)."""

    scheme: str
    title: str
    latency_ms: float
    accuracy: float
    source: str


def front(items: Sequence[T], cost: Callable[[T], float], worth: Callable[[T], float]) -> list[T]:
    """Return those of `items` that no other beats, cheapest first.

    One beats another when it costs no more and is worth no less, and is better in one of the two. Of several with equal
    cost and worth the first given stays.
    """
    found: list[T] = []
    for item in sorted(items, key=lambda i: (cost(i), -worth(i))):
        if not found or worth(item) > worth(found[-1]):
            found.append(item)
    return found


def pareto(choices: Sequence[Choice]) -> list[Choice]:
    """Return the choices on the front of accuracy against latency, fastest first."""
    return front(choices, lambda c: c.latency_ms, lambda c: c.accuracy)
