"""Frames: what is damaged is dropped, what is wrong is refused, what is repeated is not done twice."""

from __future__ import annotations

import struct

import pytest

from harness.device.device import Refused
from harness.device.frames import Frame, seal
from harness.device.messages import CONFIG, HELLO, LOAD, READ

from .conftest import Subject


def test_hello_says_what_the_image_is(on: Subject) -> None:
    info = on.device.hello()
    assert (info.name, info.weights) == (on.artefact.description.label, on.artefact.u32)
    assert (info.protocol, info.image_bytes, info.classes, info.max_chunk) == (1, 432, 3, 1024)
    assert info.clock_hz == on.board.clock_hz


def test_a_damaged_frame_is_dropped_counted_and_the_next_one_answered(on: Subject) -> None:
    before = on.device.stats().frames_dropped
    port = on.device._port
    whole = seal(Frame(HELLO, 999, b""))
    for at in (1, len(whole) // 2, len(whole) - 2):
        port.write(bytes(byte ^ (0x40 if i == at else 0) for i, byte in enumerate(whole)) + b"\0")
    port.write(b"\x07" * 3000 + b"\0")  # longer than any frame
    assert on.device.hello().name == on.artefact.description.label
    assert on.device.stats().frames_dropped - before >= 4


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (0x55, b""),
        (HELLO, b"x"),
        (LOAD, struct.pack("<I", 0)),
        (LOAD, struct.pack("<I", 430) + b"abc"),
        (LOAD, struct.pack("<I", 0xFFFF_FFFF) + b"abc"),
        (READ, struct.pack("<BIH", 9, 0, 4)),
        (READ, struct.pack("<BIH", 2, 1_000_000, 4)),
        (CONFIG, b"\x63\x01x"),
        (CONFIG, b"\x0b\x04" + struct.pack("<I", 0)),
        (CONFIG, b"\x0c\x04" + struct.pack("<f", float("nan"))),
        (CONFIG, b"\x03\x05a\r\nAT"),
        (CONFIG, b"\x01\x05ab"),
    ],
)
def test_what_can_not_be_obeyed_is_refused_and_changes_nothing(on: Subject, kind: int, payload: bytes) -> None:
    on.begin()
    with pytest.raises(Refused):
        on.device._ask(kind, payload)
    assert on.device.infer(1).status == "ok"


def test_a_repeated_request_gets_the_same_answer_and_is_done_once(on: Subject) -> None:
    on.begin()
    first = on.device.infer(7)
    sequence = on.device._sequence
    on.device._sequence = (sequence - 2) % 0xFFFF + 1  # as after an answer that was lost
    assert on.device.infer(7) == first
    assert on.device._sequence == sequence
    assert len(on.edge.seen) == 1


def test_the_same_number_with_other_bytes_is_another_request(on: Subject) -> None:
    on.begin()
    first = on.device.infer(7)
    sequence = on.device._sequence
    on.device._sequence = (sequence - 2) % 0xFFFF + 1
    on.device.infer(8)
    assert first.status == "ok"
    assert [int.from_bytes(p[2:4], "little") for p in on.edge.seen] == [7, 8]
