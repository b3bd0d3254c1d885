"""Combination, label and exit test against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from testbeds.firmware.host.hostlib import CodecLibrary

floats = st.floats(-1e4, 1e4, width=32)
vectors = hnp.arrays(np.float32, st.integers(1, 20), elements=floats)


@given(vectors, st.floats(0, 1, width=32))
def test_combination_rounds_each_step_to_single(codecs: CodecLibrary, local: np.ndarray, alpha: float) -> None:
    remote = local[::-1].copy()
    a = np.float32(alpha)
    expected = a * local + (np.float32(1) - a) * remote
    assert codecs.combine_logits(local, remote, alpha).tobytes() == expected.astype(np.float32).tobytes()


@given(vectors)
def test_argmax_takes_the_lowest_of_equals(codecs: CodecLibrary, logits: np.ndarray) -> None:
    assert codecs.argmax(logits) == int(np.argmax(logits))


@pytest.mark.parametrize(
    ("logits", "label"),
    [
        ([1, 1, 1], 0),
        ([0, 2, 2], 1),
        ([np.nan, 1, 2], 2),
        ([1, np.nan, 0], 0),
        ([np.nan, np.nan], 0),
        ([-np.inf, 0], 1),
    ],
)
def test_argmax_of_ties_and_of_what_is_no_number(codecs: CodecLibrary, logits: list[float], label: int) -> None:
    assert codecs.argmax(np.array(logits, np.float32)) == label


@given(hnp.arrays(np.float32, st.integers(2, 20), elements=st.floats(-200, 200, width=32)))
def test_top_probability_is_softmax(codecs: CodecLibrary, logits: np.ndarray) -> None:
    wide = np.exp(logits.astype(np.float64) - float(logits.max()))
    assert codecs.top_probability(logits) == pytest.approx(1 / wide.sum(), rel=2e-6)
