"""Instability in words: each complaint where it belongs, none about a steady board."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis import stability


def _noise(n: int, spread: float = 0.1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, n)


@pytest.mark.parametrize("seed", range(10))
def test_a_steady_board_is_not_complained_of(seed: int) -> None:
    assert stability.complaints(list(20 + _noise(40, seed=seed)), asked_share=0.05) == []


def test_a_drift_is_told_with_its_direction() -> None:
    (said,) = stability.complaints(list(20 + np.linspace(0, 2, 40) + _noise(40)))
    assert said.startswith("latency rose by")
    (said,) = stability.complaints(list(20 - np.linspace(0, 2, 40) + _noise(40)))
    assert said.startswith("latency fell by")


def test_two_groups_are_told_with_both_middles() -> None:
    values = 20 + _noise(40)
    values[::3] += 3
    (said,) = [text for text in stability.complaints(list(values)) if "groups" in text]
    assert "around 20" in said
    assert "23" in said


def test_a_wide_spread_is_told() -> None:
    said = stability.complaints(list(20 + _noise(60, spread=4)))
    assert any("middle half of the samples" in text for text in said)


def test_an_interval_wider_than_asked_names_the_cure() -> None:
    said = stability.complaints(list(20 + _noise(6, spread=6)), asked_share=0.05)
    assert "--max-samples" in said[0]
    assert "6 samples" in said[0]


def test_of_few_samples_nothing_is_said() -> None:
    assert stability.complaints([]) == []
    assert stability.complaints([1.0, 50.0, 3.0]) == []
    assert stability.complaints([0.0] * 20) == []


def test_many_outliers_are_named_in_part() -> None:
    assert stability.outlier_text([7]) == "image 7"
    assert stability.outlier_text([1, 2, 3, 4, 5]) == "images 1, 2, 3 and 2 more"
