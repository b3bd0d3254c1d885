"""The C side on a console that frames use too: text is answered, frames are left alone."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from testbeds.firmware.eembc.host import CDut


def cobs(data: bytes) -> bytes:
    """Consistent overhead byte stuffing (Cheshire and Baker 1999), without the closing zero."""
    out = bytearray()
    for i, run in enumerate(runs := data.split(b"\x00")):
        while len(run) >= 254:
            out += b"\xff" + run[:254]
            run = run[254:]  # noqa: PLW2901
        if run or i < len(runs):
            out += bytes([len(run) + 1]) + run
    return bytes(out)


def device() -> CDut:
    return CDut(lambda data: [0.0], input_bytes=4, results=1)


def test_text_before_between_and_after_frames() -> None:
    dut = device()
    frame = cobs(b"\x01\x01\x07\x00ABCD%%name%\x25") + b"\x00"
    assert dut.feed(b"name%")
    assert dut.feed(frame) in (b"", b"m-name-dut-[c-dialect]\r\nm-ready\r\n")
    assert dut.feed(b"name%") == b"m-name-dut-[c-dialect]\r\nm-ready\r\n"


@settings(max_examples=200)
@given(st.binary(min_size=4, max_size=600))
def test_a_frame_of_version_1_is_never_answered_as_text(payload: bytes) -> None:
    dut = device()
    assert dut.feed(cobs(b"\x01" + payload) + b"\x00") == b""
    assert dut.taken == 0


def test_frames_of_pictures_full_of_percent_signs_are_never_answered() -> None:
    dut = device()
    chooser = random.Random(1)
    for _ in range(200):
        picture = bytes(chooser.choice(b"%%%% abdefinoprst0123456789\x00\xff") for _ in range(1000))
        assert dut.feed(cobs(b"\x01\x04\x09\x00" + picture) + b"\x00") == b""


def test_the_taker_learns_that_bytes_were_text() -> None:
    dut = device()
    dut.feed(b"name%timestamp%")
    assert dut.taken == 2
    dut.feed(b"\x01name%")
    assert dut.taken == 2


def test_noise_does_not_silence_it_for_long() -> None:
    dut = device()
    assert dut.feed(b"\xf0\x01half a frame") == b""
    assert dut.feed(b"foo%foo%db%infer 1 0%") == b""  # could be pieces of a frame
    assert dut.feed(b"sync1%") == b"e-[Unknown command: sync1]\r\nm-ready\r\n"
    assert dut.feed(b"foo%") == b"e-[Unknown command: foo]\r\nm-ready\r\n"
