"""Bilinear scaling: TensorFlow's weights, whole bytes, nothing changed where nothing is asked."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.data import resized

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


def test_as_it_is() -> None:
    assert resized(X, 0) is X
    assert resized(X, 32) is X


@pytest.mark.parametrize("size", [96, 48, 17])
def test_same_as_tensorflow_to_the_nearest_byte(size: int) -> None:
    tf = pytest.importorskip("tensorflow")
    expected = tf.image.resize(X.astype(np.float32), (size, size)).numpy()
    assert np.abs(resized(X, size) - expected).max() < 0.501


def test_thrice_the_size_keeps_every_third_pixel() -> None:
    assert np.array_equal(resized(X, 96)[:, 1::3, 1::3], X)
