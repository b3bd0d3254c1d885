"""Frames and their stuffing against oracles, and streams with noise in them."""

from __future__ import annotations

import struct
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st

from testbeds.firmware.host.hostlib import CodecLibrary

from .firmware_helpers import cobs, frame, uncobs

blocks = st.lists(
    st.one_of(st.just(b"\0"), st.binary(max_size=5), st.integers(250, 260).map(lambda n: b"\x07" * n)), max_size=6
)


@given(blocks.map(b"".join))
def test_stuffing(codecs: CodecLibrary, data: bytes) -> None:
    assert codecs.cobs_encode(data) == cobs(data)
    assert codecs.cobs_decode(cobs(data)) == data


@settings(max_examples=500)
@given(st.binary(min_size=1, max_size=600))
def test_unstuffing_random_bytes_never_grows_them(codecs: CodecLibrary, data: bytes) -> None:
    decoded = codecs.cobs_decode(data)
    assert decoded is None or (len(decoded) < len(data) and decoded == uncobs(data))


@given(st.binary(max_size=300))
def test_crc_is_zlibs(codecs: CodecLibrary, data: bytes) -> None:
    assert codecs.crc32(data) == zlib.crc32(data)
    assert codecs.crc32(data[7:], codecs.crc32(data[:7])) == zlib.crc32(data)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.binary(max_size=40).map(lambda b: b.replace(b"\0", b"\1")), st.binary(max_size=300)), max_size=5
    )
)
def test_frames_survive_the_noise_between_them(codecs: CodecLibrary, parts: list[tuple[bytes, bytes]]) -> None:
    stream = b"".join(noise + b"\0" + frame(4, i, payload) for i, (noise, payload) in enumerate(parts))
    bodies, dropped = codecs.frames(stream)
    assert bodies == [struct.pack("<BBH", 1, 4, i) + payload for i, (_, payload) in enumerate(parts)]
    assert dropped == sum(1 for noise, _ in parts if noise)


@settings(max_examples=300)
@given(st.binary(max_size=200), st.data())
def test_a_damaged_frame_is_dropped_and_the_next_one_taken(
    codecs: CodecLibrary, payload: bytes, data: st.DataObject
) -> None:
    first = bytearray(frame(4, 1, payload))
    first[data.draw(st.integers(0, len(first) - 2))] ^= data.draw(st.integers(1, 255))
    bodies, _ = codecs.frames(bytes(first) + frame(4, 2, b"next"))
    assert bodies == [struct.pack("<BBH", 1, 4, 2) + b"next"]


def test_the_largest_frame_is_taken_and_a_larger_one_dropped(codecs: CodecLibrary) -> None:
    largest = b"\x05" * (1200 - 8)
    bodies, dropped = codecs.frames(
        frame(4, 1, largest + b"x") + frame(4, 2, largest) + b"\x09" * 100_000 + b"\0" + frame(1, 3)
    )
    assert [len(b) for b in bodies] == [1196, 4]
    assert dropped == 2


@settings(max_examples=300)
@given(st.binary(max_size=3000))
def test_random_streams_end(codecs: CodecLibrary, stream: bytes) -> None:
    bodies, dropped = codecs.frames(stream)
    assert len(bodies) + dropped <= stream.count(0)
