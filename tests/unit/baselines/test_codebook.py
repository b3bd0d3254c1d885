"""The learned quantiser: hard forward, soft backward, and its fold into a table of 256 symbols."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.schemes.agilenn import codebook

pytestmark = pytest.mark.slow


@given(
    scale=st.floats(1e-3, 0.1),
    zero_point=st.integers(-128, 127),
    centroids=st.lists(st.integers(10, 5990), min_size=2, max_size=16, unique=True).map(
        lambda c: [v / 1000 for v in sorted(c)]
    ),
)
def test_table_equals_the_float_quantiser_for_every_int8(scale: float, zero_point: int, centroids: list[float]) -> None:
    table = codebook.symbol_table(scale, zero_point, np.array(centroids, dtype=np.float32))
    assert len(table) == 256
    for q in range(-128, 128):
        value = scale * (q - zero_point)
        distances = [abs(value - float(np.float32(c))) for c in centroids]
        assert table[q + 128] == distances.index(min(distances))
    assert table == sorted(table)


def test_fit_finds_separate_clusters() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([np.zeros(500), rng.normal(1, 0.01, 300), rng.normal(4, 0.01, 200)])
    assert codebook.fit(values, 3) == pytest.approx([0.01, 1.0, 4.0], abs=0.02)


def test_fit_of_nothing_but_zeros_stays_in_range() -> None:
    found = codebook.fit(np.zeros(100), 4)
    assert np.all(found >= 0.01)
    assert np.all(found <= 5.99)


def test_random_centroids_lie_close_together_as_the_public_codes_do() -> None:
    wide, narrow = codebook.to_parameters(codebook.drawn(8, 0)), codebook.to_parameters(codebook.drawn(8, 0, 0.05))
    assert narrow == pytest.approx(0.05 * wide, rel=1e-3, abs=1e-5)
    assert np.all(np.abs(codebook.drawn(8, 0, 0.05) - codebook.TOP / 2) < 0.3)


def test_parameters_give_their_centroids_back() -> None:
    centroids = np.array([0.05, 1.0, 3.0, 5.9], dtype=np.float32)
    back = codebook.TOP / (1 + np.exp(-codebook.to_parameters(centroids)))
    assert back == pytest.approx(centroids, rel=1e-4)


def test_forward_is_hard_and_backward_is_soft() -> None:
    tf = pytest.importorskip("tensorflow")
    centroids = np.array([0.5, 2.0, 5.0], dtype=np.float32)
    x = tf.constant([0.1, 1.2, 1.3, 4.9])
    parameters = tf.constant(codebook.to_parameters(centroids))
    with tf.GradientTape() as tape:
        tape.watch([x, parameters])
        y = codebook.quantise(x, parameters, 1.0)
    assert y.numpy() == pytest.approx([0.5, 0.5, 2.0, 5.0], rel=1e-4)
    assert np.array_equal(codebook.symbols_of(x.numpy(), centroids), [0, 0, 1, 2])
    by_x, by_parameters = tape.gradient(y, [x, parameters])

    def soft(values: np.ndarray) -> np.ndarray:
        weights = np.exp(-((values[:, None] - centroids.astype(np.float64)) ** 2))
        return (weights * centroids).sum(1) / weights.sum(1)

    step = 1e-5
    numeric = (soft(x.numpy().astype(np.float64) + step) - soft(x.numpy().astype(np.float64) - step)) / (2 * step)
    assert by_x.numpy() == pytest.approx(numeric, rel=1e-3)
    assert np.all(np.abs(by_parameters.numpy()) > 0)
