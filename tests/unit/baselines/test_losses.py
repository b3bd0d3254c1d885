"""Skewness and disorder losses on cases worked out by hand, and the selection of the local channels."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from baselines.schemes.agilenn import losses, preselect  # noqa: E402

pytestmark = pytest.mark.slow


def element_map(channels: list[float]) -> np.ndarray:
    """[1, 1, 2, c]: each channel's importance lies a quarter at the first place and the rest at the second."""
    row = np.array(channels, dtype=np.float32)
    return np.stack([0.25 * row, 0.75 * row])[None, None]


def test_skewness_is_the_share_of_the_first_k() -> None:
    channels = tf.constant([[4.0, 4.0, 1.0, 1.0], [0.0, 1.0, 1.0, 2.0]])
    assert losses.skewness(channels, 2).numpy() == pytest.approx([0.8, 0.25])


def test_skewness_loss_is_zero_from_rho_on() -> None:
    channels = tf.constant([[4.0, 4.0, 1.0, 1.0], [0.0, 1.0, 1.0, 2.0]])
    assert losses.skewness_loss(channels, 2, 0.75).numpy() == pytest.approx([0.0, 0.5])


def test_no_importance_at_all_is_no_division_by_zero() -> None:
    zero = tf.zeros((1, 1, 2, 4))
    for form in ("channel", "element", "descent"):
        assert losses.disorder_loss(zero, 2, form).numpy() == pytest.approx([0.0])
    assert losses.skewness(tf.zeros((1, 4)), 2).numpy() == pytest.approx([0.0])


@pytest.mark.parametrize(
    ("form", "channels", "expected"),
    [
        ("channel", [4.0, 3.0, 2.0, 1.0], 0.0),
        ("channel", [4.0, 1.0, 3.0, 2.0], 0.2),  # 3/10 - 1/10
        ("element", [4.0, 1.0, 3.0, 2.0], 0.2),  # (0.75 * 3 - 0.25 * 1) / 10
        ("element", [4.0, 3.0, 2.0, 1.0], 0.075),  # (0.75 * 2 - 0.25 * 3) / 10: ordered by channel, not by element
        ("descent", [4.0, 3.0, 2.0, 1.0], 0.0),
        ("descent", [4.0, 1.0, 3.0, 2.0], 0.06),  # 0 + 0.2^2 + 0.1^2 + 0.1^2
    ],
)
def test_disorder_by_hand(form: str, channels: list[float], expected: float) -> None:
    assert losses.disorder_loss(element_map(channels), 2, form).numpy() == pytest.approx([expected], abs=1e-6)


def test_violations_count_samples_with_a_more_important_sent_channel() -> None:
    channels = tf.constant([[4.0, 3.0, 2.0], [4.0, 1.0, 3.0], [2.0, 2.0, 2.0]])
    assert losses.violations(channels, 2).numpy().tolist() == [0.0, 1.0, 0.0]


def test_mean_over_counts_only_what_is_masked_in() -> None:
    values = tf.constant([1.0, 2.0, 30.0])
    assert float(losses.mean_over(values, tf.constant([1.0, 1.0, 0.0]))) == pytest.approx(1.5)
    assert float(losses.mean_over(values, tf.zeros(3))) == 0.0


def test_appearance_counts_how_often_a_channel_is_among_the_top_k() -> None:
    channels = np.array([[5, 4, 1, 0], [5, 1, 4, 0], [0, 5, 4, 1], [9, 5, 1, 0]], dtype=np.float32)
    assert preselect.appearance(channels, 2).tolist() == [0.75, 0.75, 0.5, 0.0]


def test_order_differs_between_frequency_and_mean() -> None:
    # Channel 3 is hugely important once; channels 0 and 1 are often among the top two.
    channels = np.array([[3, 2, 1, 0], [3, 2, 1, 0], [0, 1, 2, 97]], dtype=np.float32)
    assert preselect.channel_order(channels, 2, "topk_appearance").tolist() == [0, 1, 2, 3]
    # Mean shares: 1/3, (1/3 + 1/3 + 0.01) / 3, (1/6 + 1/6 + 0.02) / 3, 0.97 / 3.
    assert preselect.channel_order(channels, 2, "global_importance").tolist() == [0, 3, 1, 2]
    assert preselect.channel_order(channels, 2, "none").tolist() == [0, 1, 2, 3]
