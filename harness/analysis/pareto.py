"""Finds the Pareto front: what no other beats in both cost and worth. Every table, figure and search asks here.

A scheme with a knob (JPEG's quality, say) is a curve of several points, and fronts are fronts of curves: between two
neighbouring measured points a curve is the line through them, which using the one setting for a part of the pictures
and the other for the rest attains. Beyond its measured points nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

T = TypeVar("T")

_STEPS = 16  # of a line between two measured latencies, on which one curve may cross another


class Choice(NamedTuple):
    """Holds one scheme (or setting of one): latency in ms (less is better) against accuracy in % (more is better)."""

    scheme: str
    title: str
    latency_ms: float
    accuracy: float
    source: str
    curve: str = ""  # the scheme of which it is one setting; "": it stands alone
    setting: str = ""  # of the knob, as people read it
    error: float = 0.0  # standard error of the accuracy, in points; 0: not known


@dataclass(frozen=True)
class Curve:
    """Holds one scheme over its knob: those of its measured points that none of its own beats, quickest first."""

    scheme: str
    title: str
    points: tuple[Choice, ...]

    def latency_at(self, accuracy: float) -> float | None:
        """Return the latency in ms at which it is so accurate (%); None below its first and above its last point."""
        for one, other in zip(self.points, self.points[1:], strict=False):
            if one.accuracy <= accuracy <= other.accuracy:
                share = (accuracy - one.accuracy) / (other.accuracy - one.accuracy)
                return one.latency_ms + share * (other.latency_ms - one.latency_ms)
        return next((p.latency_ms for p in self.points if p.accuracy == accuracy), None)

    def accuracy_within(self, latency_ms: float) -> float | None:
        """Return the highest accuracy (%) that it has in no more than `latency_ms`; None where it is never so quick."""
        best = None
        for i, p in enumerate(self.points):
            if p.latency_ms <= latency_ms:
                best = p.accuracy
            elif i:
                before = self.points[i - 1]
                share = (latency_ms - before.latency_ms) / (p.latency_ms - before.latency_ms)
                return before.accuracy + share * (p.accuracy - before.accuracy)
            else:
                return None
        return best

    def quickest_above(self, accuracy: float) -> float | None:
        """Return the least latency in ms at which it is at least so accurate (%); None where it never is."""
        if not self.points or accuracy > self.points[-1].accuracy:
            return None
        return self.points[0].latency_ms if accuracy <= self.points[0].accuracy else self.latency_at(accuracy)


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


def curves(choices: Sequence[Choice]) -> list[Curve]:
    """Return the curves of the choices, in their order; a choice that stands alone is a curve of one point."""
    groups: dict[str, list[Choice]] = {}
    for c in choices:
        groups.setdefault(c.curve or c.scheme, []).append(c)
    found = []
    for scheme, own in groups.items():
        title = next((c.title for c in own if c.scheme == scheme), own[0].title)
        found.append(Curve(scheme, title, tuple(_plain(own))))
    return found


def envelope(every: Sequence[Curve]) -> list[tuple[float, float]]:
    """Return the front of curves as a line: latency in ms, and the highest accuracy (%) that any has within it.

    It rises along a curve's line, and by a step where another curve begins.
    """
    places = sorted({p.latency_ms for curve in every for p in curve.points})
    found: list[tuple[float, float]] = []
    for start, end in zip(places, [*places[1:], places[-1]], strict=True):
        for i in range(_STEPS + 1):
            x = start + (end - start) * i / _STEPS
            before = _highest(every, x, but_at=end) if i == _STEPS and end != start else _highest(every, x)
            if before is not None:
                found.append((x, before))
    return found


def _highest(every: Sequence[Curve], latency_ms: float, *, but_at: float | None = None) -> float | None:
    """Return the highest accuracy within a latency, without the curves that begin just there (`but_at`)."""
    reached = [c.accuracy_within(latency_ms) for c in every if c.points[0].latency_ms != but_at]
    return max((a for a in reached if a is not None), default=None)


def pareto(choices: Sequence[Choice]) -> list[Choice]:
    """Return the choices on the front of accuracy against latency, fastest first; no other's curve beats them."""
    every = curves(choices)
    found = []
    for c in _plain(choices):
        others = [curve for curve in every if curve.scheme != (c.curve or c.scheme)]
        reached = [(curve.accuracy_within(c.latency_ms), curve) for curve in others]
        if not any(accuracy is not None and accuracy > c.accuracy for accuracy, _ in reached):
            found.append(c)
    return found


def _plain(choices: Sequence[Choice]) -> list[Choice]:
    return front(choices, lambda c: c.latency_ms, lambda c: c.accuracy)
