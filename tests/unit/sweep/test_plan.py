"""The order of samples depends on the seed and nothing else, and treats all points alike."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.runs.sample import Point
from harness.sweep.plan import MOST_LOOKED_AT, choose_images, further_images, make

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


class Exits:
    """Pictures of `left` exit, a set a scheme; counts those that were looked at."""

    def __init__(self, *left: set[int]) -> None:
        self.left = left
        self.looked: list[int] = []

    def __call__(self, numbers: Sequence[int]) -> npt.NDArray[np.bool_]:
        self.looked += numbers
        return np.array([[n in left for left in self.left] for n in numbers], bool).reshape(len(numbers), -1)

    def kinds(self, chosen: Sequence[int], scheme: int = 0) -> set[bool]:
        return {n in self.left[scheme] for n in chosen}


@pytest.mark.parametrize("seed", range(8))
def test_two_pictures_are_of_both_kinds_and_the_sent_one_comes_first(seed: int) -> None:
    exits = Exits(set(range(60)))
    chosen, warmups = choose_images(100, 2, 1, seed, exits)
    assert [n in exits.left[0] for n in chosen] == [False, True]
    assert chosen == choose_images(100, 2, 1, seed, exits)[0]
    assert warmups == choose_images(100, 2, 1, seed)[1] != chosen[:1]
    assert choose_images(100, 1, 1, seed, exits)[0][0] not in exits.left[0]  # from which an exit's time follows


@pytest.mark.parametrize("seed", range(4))
def test_schemes_share_pictures_and_each_sees_both_kinds(seed: int) -> None:
    exits = Exits(set(range(50)), set(range(30, 100)))
    chosen, _ = choose_images(100, 3, 1, seed, exits)
    assert exits.kinds(chosen, 0) == exits.kinds(chosen, 1) == {True, False}


def test_pictures_that_hold_both_kinds_stay_the_same_ones() -> None:
    exits = Exits(set(range(0, 100, 2)))
    plain, _ = choose_images(100, 20, 2, 0)
    chosen, _ = choose_images(100, 20, 2, 0, exits)
    assert set(chosen) == set(plain)
    assert set(exits.looked) == set(plain)
    first = [next(n for n in plain if n % 2), next(n for n in plain if not n % 2)]
    assert chosen == [*first, *(n for n in plain if n not in first)]


@pytest.mark.parametrize("left", [set(), set(range(2000)), {choose_images(2000, 2000, 0, 0)[0][-1]}])
def test_a_kind_that_is_rare_or_absent_ends_the_search(left: set[int]) -> None:
    exits = Exits(left)
    chosen, warmups = choose_images(2000, 5, 1, 0, exits)
    assert len(exits.looked) <= MOST_LOOKED_AT
    assert set(chosen) == set(choose_images(2000, 5, 1, 0)[0])
    assert not set(chosen) & set(warmups)


@given(
    st.integers(1, 40), st.integers(1, 12), st.integers(0, 3), st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60))
)
def test_choosing_by_kind_gives_that_many_different_pictures(
    more: int, count: int, warmups: int, one: set[int], other: set[int]
) -> None:
    available = count + warmups + more
    chosen, others = choose_images(available, count, warmups, 3, Exits(one, other))
    assert len({*chosen, *others}) == count + warmups
    further = further_images(available, available, chosen, others, 3)
    assert not {*chosen, *others} & {*further}
    assert len(further) == len(set(further)) == min(more, available - count)
