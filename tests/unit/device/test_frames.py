"""Frames survive any payload, and nothing damaged gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.device.frames import MAX_DECODED, Frame, FrameError, seal, stuff, unseal, unstuff


@given(st.binary(max_size=1500))
def test_stuffing_removes_every_zero_and_comes_back(data: bytes) -> None:
    stuffed = stuff(data)
    assert 0 not in stuffed
    assert unstuff(stuffed) == data
    assert len(stuffed) <= len(data) + len(data) // 254 + 1


# Examples of the COBS paper and of its common implementations.
@pytest.mark.parametrize(
    ("data", "stuffed"),
    [
        (b"", b"\x01"),
        (b"\0", b"\x01\x01"),
        (b"\0\0", b"\x01\x01\x01"),
        (b"\x11\x22\0\x33", b"\x03\x11\x22\x02\x33"),
        (b"\x11\0\0\0", b"\x02\x11\x01\x01\x01"),
        (bytes(range(1, 255)), b"\xff" + bytes(range(1, 255))),
        (bytes(range(1, 255)) + b"\0", b"\xff" + bytes(range(1, 255)) + b"\x01\x01"),
        (bytes(range(1, 256)), b"\xff" + bytes(range(1, 255)) + b"\x02\xff"),
    ],
)
def test_stuffing_matches_known_answers(data: bytes, stuffed: bytes) -> None:
    assert stuff(data) == stuffed
    assert unstuff(stuffed) == data


@given(st.integers(0, 255), st.integers(0, 0xFFFF), st.binary(max_size=MAX_DECODED - 8))
def test_a_frame_comes_back(kind: int, sequence: int, payload: bytes) -> None:
    sealed = seal(Frame(kind, sequence, payload))
    assert sealed.index(0) == len(sealed) - 1
    assert unseal(sealed[:-1]) == Frame(kind, sequence, payload)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_one_flipped_bit_is_noticed(payload: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(Frame(5, 7, payload))[:-1])
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameError):
        unseal(bytes(sealed))


@given(st.binary(max_size=1400))
def test_noise_is_dropped_not_obeyed(noise: bytes) -> None:
    try:
        frame = unseal(noise)
    except FrameError:
        return
    assert seal(frame) is not None  # 1 in 2^32: then it is a frame


def test_a_payload_too_long_for_a_frame_is_refused() -> None:
    with pytest.raises(FrameError, match="over"):
        seal(Frame(1, 1, bytes(MAX_DECODED)))
