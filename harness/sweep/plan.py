"""Decides which samples are taken in which order: by the seed alone, before anything is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import BenchError
from harness.runs.sample import Planned, Point

MOST_IMAGES = 10_000
MOST_LOOKED_AT = 400  # pictures that are looked at for one of each kind; a rarer kind is left to chance
_FEW = 16  # pictures that are looked at together, so that a library is not called for each

Exits = Callable[[Sequence[int]], npt.NDArray[np.bool_]]  # numbers of pictures [n] -> does it exit early [n, schemes]


@dataclass(frozen=True)
class Plan:
    """Holds the samples in the order in which they are to be taken."""

    samples: tuple[Planned, ...]
    images: tuple[int, ...]
    order_rule: str


def choose_images(
    available: int, count: int, warmups: int, seed: int, exits: Exits | None = None
) -> tuple[list[int], list[int]]:
    """Choose `count` pictures and `warmups` others, by seed.

    Args:
        exits: of the schemes that may exit early. A picture that each of them sends comes first, then one that each
            lets exit, as far as `count` goes: a handful of one kind tells no latency over both. Where the pictures
            drawn by seed hold both kinds, they stay the same, and only their order changes.

    Raises:
        BenchError: the test set is too small.
    """
    if count + warmups > available:
        raise BenchError(
            f"{count} images and {warmups} for warm-up were asked for, the test set has {available}",
            cure="ask for fewer --images",
        )
    order = _order(available, seed)
    chosen, others = order[:count], order[count : count + warmups]
    if exits is not None:
        drawn = [*chosen, *order[count + warmups :]]
        first = _of_each_kind(drawn, count, exits)
        chosen = [*first, *(i for i in drawn if i not in first)][:count]
    return chosen, others


def further_images(available: int, most: int, chosen: Sequence[int], warmups: Sequence[int], seed: int) -> list[int]:
    """Return the pictures that `choose_images` left, in the same seeded order: at most `most` less the chosen, none
    twice.
    """
    taken = {*chosen, *warmups}
    return [i for i in _order(available, seed) if i not in taken][: max(0, most - len(chosen))]


def _order(available: int, seed: int) -> list[int]:
    order: list[int] = np.random.default_rng([seed, 1]).permutation(available).tolist()
    return order


def _of_each_kind(drawn: Sequence[int], count: int, exits: Exits) -> list[int]:
    """Return the fewest of the first pictures of `drawn`, at most `count`, of which each scheme sends one and lets one
    exit.

    Sending goes before: what an exit takes can be told from a picture that is sent, but not the other way round.
    """
    most = min(MOST_LOOKED_AT, len(drawn))
    looked = min(count, most)
    left = exits(drawn[:looked])
    while looked < most and not (left.any(axis=0) & ~left.all(axis=0)).all():
        more = min(max(looked, _FEW), most - looked)
        left = np.concatenate([left, exits(drawn[looked : looked + more])])
        looked += more
    first: list[int] = []
    for kind in (~left, left):
        lacking = kind.any(axis=0) & ~kind[first].any(axis=0)
        while lacking.any() and len(first) < count:
            first.append(int(np.argmax((kind & lacking).sum(axis=1))))  # the earliest that helps the most schemes
            lacking &= ~kind[first[-1]]
    return [drawn[i] for i in first]


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
