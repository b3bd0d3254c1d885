"""The order of samples depends on the seed and nothing else, and treats all points alike."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from harness.contracts.errors import BenchError
from harness.runs.sample import Point
from harness.sweep.plan import choose_images, make

POINTS = [Point(s, "tiny", "compact", "virtual", r) for s in ("a", "b", "c") for r in (1e6, 2e6)]


def test_images_follow_from_the_seed() -> None:
    first = choose_images(100, 10, 2, 0)
    assert first == choose_images(100, 10, 2, 0)
    assert first != choose_images(100, 10, 2, 1)
    chosen, warmups = first
    assert not set(chosen) & set(warmups)
    assert (len(set(chosen)), len(set(warmups))) == (10, 2)


def test_too_many_images_are_refused() -> None:
    with pytest.raises(BenchError, match="the test set has 5"):
        choose_images(5, 5, 1, 0)


@pytest.mark.parametrize("free", [True, False])
def test_every_point_sees_every_image_once(free: bool) -> None:
    plan = make(POINTS, [5, 6, 7], [9], 0, free=free)
    assert [p.order for p in plan.samples] == list(range(len(POINTS) * 4))
    seen = Counter((p.point.point_id, p.image, p.warmup) for p in plan.samples)
    assert set(seen.values()) == {1}
    assert len({p.key for p in plan.samples}) == len(plan.samples)


def test_free_schemes_are_interleaved_image_by_image() -> None:
    plan = make(POINTS, [5, 6], [9], 0, free=True)
    assert [p.warmup for p in plan.samples] == [True] * 6 + [False] * 12
    for i in range(0, 18, 6):
        assert len({p.point.point_id for p in plan.samples[i : i + 6]}) == 6
    assert plan == make(POINTS, [5, 6], [9], 0, free=True)
    assert plan != make(POINTS, [5, 6], [9], 1, free=True)


def test_one_board_sees_schemes_in_blocks() -> None:
    plan = make(POINTS, [5, 6], [9], 3, free=False)
    schemes = [p.point.scheme for p in plan.samples]
    assert sum(a != b for a, b in itertools.pairwise(schemes)) == 2


def test_seeds_of_samples_differ() -> None:
    plan = make(POINTS, [5, 6], [9], 0, free=True)
    assert len({p.seed for p in plan.samples}) == len(plan.samples)
