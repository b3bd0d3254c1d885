"""Two sets of samples: slower is said only of what is both significant and large enough."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.differences import LEAST, median_difference, paired_difference


def _drawn(middle: float, n: int, seed: int, spread: float = 1.0) -> list[float]:
    return list(np.random.default_rng(seed).normal(middle, spread, n))


def test_a_clear_difference_is_told_with_its_direction() -> None:
    found = median_difference(_drawn(20, 40, 1), _drawn(25, 40, 2))
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.difference < found.high
    assert found.verdict(0.02) == "higher"
    assert found.share == pytest.approx(0.25, abs=0.05)
    back = median_difference(_drawn(25, 40, 2), _drawn(20, 40, 1))
    assert back is not None
    assert back.verdict(0.02) == "lower"


def test_what_is_significant_but_tiny_is_trifling() -> None:
    found = median_difference(_drawn(20, 500, 1, 0.001), _drawn(20.01, 500, 2, 0.001))
    assert found is not None
    assert found.significant
    assert found.verdict(0.02) == "trifling"
    assert found.verdict(0.0) == "higher"


def test_equal_sets_are_the_same_and_noisy_ones_undecided() -> None:
    same = median_difference(_drawn(20, 200, 1, 0.1), _drawn(20, 200, 2, 0.1))
    assert same is not None
    assert same.verdict(0.02) == "same"
    noisy = median_difference(_drawn(20, 6, 1, 8.0), _drawn(20, 6, 2, 8.0))
    assert noisy is not None
    assert noisy.verdict(0.02) == "undecided"


def test_few_samples_are_called_few() -> None:
    found = median_difference([1.0] * (LEAST - 1), [2.0] * 50)
    assert found is not None
    assert (found.low, found.high, found.verdict(0.0)) == (None, None, "n too small")
    assert median_difference([], [1.0]) is None


def test_pairs_see_a_small_difference_among_images_that_differ_much() -> None:
    images = np.random.default_rng(0).normal(100, 30, 20)
    base = {i: float(v) for i, v in enumerate(images)}
    other = {i: float(v) + 5 for i, v in enumerate(images)} | {99: 1e9}  # an image that the base lacks
    paired, loose = paired_difference(base, other), median_difference(list(base.values()), list(other.values()))
    assert paired is not None
    assert loose is not None
    assert (paired.n, paired.difference, paired.verdict(0.02)) == (20, pytest.approx(5), "higher")
    assert loose.verdict(0.02) == "undecided"
    assert paired_difference({1: 1.0}, {2: 1.0}) is None


def test_equal_deterministic_samples_are_the_same() -> None:
    """An emulated board's: no spread at all."""
    values = {i: 10.0 + i for i in range(10)}
    found = paired_difference(values, values)
    assert found is not None
    assert (found.difference, found.low, found.high, found.verdict(0.0)) == (0, 0, 0, "same")


def test_a_base_of_zero_has_no_share() -> None:
    found = median_difference([0.0] * 6, [1.0] * 6)
    assert found is not None
    assert found.share is None
    assert found.verdict(0.02) == "higher"


@pytest.mark.slow
def test_the_interval_covers_as_often_as_it_says() -> None:
    """Of 200 pairs of sets from one distribution, about 5 % are called different."""
    called = 0
    for seed in range(200):
        found = median_difference(_drawn(10, 25, 2 * seed), _drawn(10, 25, 2 * seed + 1), seed=seed)
        assert found is not None
        called += found.significant
    assert called <= 20


def test_the_same_seed_gives_the_same_interval() -> None:
    one, two = (median_difference(_drawn(5, 30, 3), _drawn(6, 30, 4), seed=9) for _ in range(2))
    assert one == two
