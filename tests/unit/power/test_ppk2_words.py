"""The PPK2's word stream: any cut of the bytes, any loss, is decoded to the right sample numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.power.ppk2_words import WordDecoder, pack


def words(n: int, first: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(n)
    codes = rng.integers(0, 5 << 14, n).astype(np.uint32)
    logic = rng.integers(0, 8, n).astype(np.uint8)
    return pack(codes, np.arange(first, first + n).astype(np.uint32), logic)


def test_a_word_holds_its_fields_where_the_protocol_says() -> None:
    one = pack(np.array([0x1234 | 3 << 14], np.uint32), np.array([0x2A], np.uint32), np.array([0xA5], np.uint8))
    assert int(one[0]) == 0x1234 | 3 << 14 | 0x2A << 18 | 0xA5 << 24
    assert one.tobytes() == int(one[0]).to_bytes(4, "little")


@settings(max_examples=50)
@given(st.data())
def test_cut_anywhere_and_with_words_dropped_every_sample_keeps_its_number(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 400))
    stream = words(n, data.draw(st.integers(0, 200)))
    drops = data.draw(st.lists(st.tuples(st.integers(1, n), st.integers(1, 63)), max_size=3))
    kept = np.ones(n, dtype=bool)
    for at, count in drops:
        kept[at : at + count] = False
    runs = np.diff(np.flatnonzero(kept))
    if len(runs) and int(runs.max()) > 64:  # more than the counter can tell
        return
    sent = stream[kept].tobytes()
    decoder = WordDecoder()
    while sent:
        size = data.draw(st.integers(max(1, len(sent) // 8), len(sent)))
        decoder.feed(sent[:size])
        sent = sent[size:]
    decoder.flush()
    samples = decoder.samples()
    expected = np.flatnonzero(kept)
    assert len(samples.lost) == expected[-1] + 1
    assert np.array_equal(np.flatnonzero(~samples.lost), expected)
    assert np.array_equal(samples.codes[expected], stream[expected] & 0x1FFFF)
    assert decoder.count == len(samples.lost)
    assert samples.realigned == 0


@pytest.mark.parametrize("missing", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("at", [0, 41, 400, 1203])
def test_missing_bytes_are_found_and_the_words_come_back_into_step(missing: int, at: int) -> None:
    stream = words(1000)
    data = stream.tobytes()
    decoder = WordDecoder()
    sent = data[:at] + data[at + missing :]
    for start in range(0, len(sent), 97):
        decoder.feed(sent[start : start + 97])
    decoder.flush()
    samples = decoder.samples()
    good = np.flatnonzero(~samples.lost)
    offset = 1000 - len(samples.lost)  # samples lost before the first one can't be counted
    assert np.array_equal(samples.codes[good], stream[good + offset] & 0x1FFFF)
    assert len(good) >= 990
    assert decoder.realigned <= 1


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_garbage_never_raises_and_never_grows_without_bound(chunks: list[bytes]) -> None:
    decoder = WordDecoder()
    for chunk in chunks:
        decoder.feed(chunk)
    decoder.flush()
    samples = decoder.samples()
    total = sum(map(len, chunks))
    assert len(samples.lost) <= total // 4 * 64 + 1
    assert decoder.received <= total // 4


def test_sixty_four_lost_words_leave_no_trace_in_the_counter() -> None:
    """What the counter can't show is stated, and is why the clocks are fitted."""
    stream = words(1000)
    decoder = WordDecoder()
    decoder.feed(np.concatenate((stream[:300], stream[364:])).tobytes())
    assert decoder.lost == 0
    assert decoder.count == 936
