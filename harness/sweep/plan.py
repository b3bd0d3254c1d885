"""Decides which samples are taken in which order: by the seed alone, before anything is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.contracts.errors import BenchError
from harness.runs.sample import Planned, Point

MOST_IMAGES = 10_000


@dataclass(frozen=True)
class Plan:
    """Holds the samples in the order in which they are to be taken."""

    samples: tuple[Planned, ...]
    images: tuple[int, ...]
    order_rule: str


def choose_images(available: int, count: int, warmups: int, seed: int) -> tuple[list[int], list[int]]:
    """Choose `count` pictures and `warmups` others, by seed.

    Raises:
        BenchError: the test set is too small.
    """
    if count + warmups > available:
        raise BenchError(
            f"{count} images and {warmups} for warm-up were asked for, the test set has {available}",
            cure="ask for fewer --images",
        )
    chosen = np.random.default_rng([seed, 1]).permutation(available)[: count + warmups].tolist()
    return chosen[:count], chosen[count:]


def further_images(available: int, most: int, count: int, warmups: int, seed: int) -> list[int]:
    """Return the pictures after those of `choose_images`, in the same seeded order: at most `most` - `count`, none
    twice.
    """
    chosen: list[int] = np.random.default_rng([seed, 1]).permutation(available)[count + warmups :].tolist()
    return chosen[: max(0, most - count)]


def make(
    points: Sequence[Point],
    images: Sequence[int],
    warmup_images: Sequence[int],
    seed: int,
    *,
    free: bool,
    extra_images: Sequence[int] = (),
    shared_chance: bool = False,
) -> Plan:
    """Order the samples of all points.

    Args:
        extra_images: taken after the others for points whose interval is too wide by then, image by image.
        free: changing the scheme costs nothing, so every image visits all points in an order of its own before the
            next image begins; drift of the host then falls on all points alike. Otherwise schemes (at each of their
            clocks, since a clock is set before the board associates) come in blocks, in seeded order, and points
            are interleaved inside a block.
        shared_chance: an image has the same seed at all points, so that points differ by their settings alone.
    """
    blocks = [list(points)]
    if not free:
        kinds = list(dict.fromkeys((p.scheme, p.clock_hz) for p in points))
        shuffled = np.random.default_rng([seed, 2]).permutation(len(kinds))
        blocks = [[p for p in points if (p.scheme, p.clock_hz) == kinds[int(i)]] for i in shuffled]
    samples: list[Planned] = []
    for block in blocks:
        for chosen, warmup, extra in (
            (warmup_images, True, False),
            (images, False, False),
            (extra_images, False, True),
        ):
            for image in chosen:
                rng = np.random.default_rng([seed, 3, image])
                for i in rng.permutation(len(block)):
                    point = block[int(i)]
                    own = [seed, 5, image] if shared_chance else [seed, 4, image, int(point.point_id[:8], 16)]
                    own_seed = int(np.random.default_rng(own).integers(2**31))
                    samples.append(Planned(len(samples), point, int(image), warmup, own_seed, extra))
    rule = "image by image, points shuffled by seed" if free else "schemes in blocks, points shuffled by seed"
    if extra_images:
        rule += "; further images while a point's interval is too wide"
    return Plan(tuple(samples), tuple(int(i) for i in images), rule)
