"""Reads the ablation of channels, shaping and centroids: curves of accuracy against bytes, and what one gains over
another at equal bytes.

A curve is what one way of training gives with fewer or more centroids. Between two neighbouring measured points it is a
straight line, and beyond its ends nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

AXIS = "shaping"
CODECS = {"bytes_lzw": "LZW", "bytes_context": "the context codec"}
WORDS = {
    "random-plain": "random channels",
    "random-shaped": "random channels, shaped",
    "chosen-plain": "chosen channels",
    "chosen-shaped": "chosen channels, shaped (AgileNN)",
}

Point = tuple[float, float]  # bytes, accuracy 0..1


@dataclass(frozen=True)
class Trained:
    """Holds one training: the curve that it is of, its place on it, what it sends and how often it is right."""

    curve: str
    centroids: int
    seed: int
    sent_bytes: float
    accuracy: float


def read(rows: Iterable[Mapping[str, Any]], column: str) -> list[Trained]:
    """Return the trainings of rows of the sweep (typed, or as text of a CSV); those that lack a figure are left out.

    Args:
        column: `bytes_lzw` or `bytes_context`.
    """
    asked = ("channels", "shaping", "centroids", "seed", column, "accuracy")
    return [
        Trained(
            f"{row['channels']}-{'shaped' if row['shaping'] == 'yes' else 'plain'}",
            int(float(row["centroids"])), int(float(row["seed"])), float(row[column]), float(row["accuracy"]),
        )
        for row in rows if all(row.get(name) not in (None, "") for name in asked)
    ]  # fmt: skip


@dataclass(frozen=True)
class Gain:
    """Holds how much more accurate (0..1) a curve is than another, as a mean over the bytes that both reach."""

    value: float
    least_bytes: float
    most_bytes: float


def gain(one: Sequence[Point], other: Sequence[Point]) -> Gain | None:
    """Return what `one` gains over `other` at equal bytes; None where they have no range of bytes in common.

    Each byte of the common range counts alike.
    """
    first, second = _line(one), _line(other)
    low, high = max(first[0][0], second[0][0]), min(first[0][-1], second[0][-1])
    if low >= high:
        return None
    knots = np.unique([low, high, *(b for b in (*first[0], *second[0]) if low < b < high)])
    apart = np.interp(knots, *first) - np.interp(knots, *second)  # straight between knots, so trapezes are exact
    area = float(np.sum((apart[1:] + apart[:-1]) / 2 * np.diff(knots)))
    return Gain(area / (high - low), low, high)


def _line(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """Return bytes, ascending and each once, and the mean accuracy at each."""
    by: dict[float, list[float]] = {}
    for sent_bytes, accuracy in sorted(points):
        by.setdefault(sent_bytes, []).append(accuracy)
    return list(by), [sum(own) / len(own) for own in by.values()]
