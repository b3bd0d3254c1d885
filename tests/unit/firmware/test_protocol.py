"""The console protocol, frame by frame, on the whole firmware in the host build."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .firmware_helpers import CONFIGURED, IMAGE_BYTES, Scripted, frame, image_of, tlv, unframe

NAK = 0x7F
Make = Callable[..., Scripted]


def test_hello_says_what_the_image_is(scripted: Make) -> None:
    board = scripted()
    kind, answer = board.ask(1)
    proto, weights, hz, image, classes, chunk, _ram = struct.unpack_from("<BIIIHHI", answer)
    assert kind == 0x81
    assert (proto, hz, image, classes, chunk) == (1, 100_000_000, IMAGE_BYTES, 3, 1024)
    assert weights == board.library.info.weights
    assert answer[struct.calcsize("<BIIIHHI") :] == b"stub-toy-tiny"


def test_corrupt_frames_are_not_answered(scripted: Make) -> None:
    board = scripted()
    dropped = struct.unpack("<7I", board.ask(6)[1])[5]
    good = frame(1, 77)
    for at in range(len(good) - 1):
        bad = bytes(b ^ (0x40 if i == at else 0) for i, b in enumerate(good))
        assert board.library.console(bad + b"\0") == b""
    assert unframe(board.library.console(good))[0] == 0x81
    assert struct.unpack("<7I", board.ask(6)[1])[5] - dropped >= len(good) - 1


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(1, 9, version=2), 1),
        (frame(0x55, 9), 2),
        (frame(0x81, 9), 2),
        (frame(1, 9, b"x"), 3),
        (frame(3, 9, b"x"), 3),
        (frame(4, 9, b"\0\0\0\0"), 3),
        (frame(4, 9, b"\0" * 1029), 3),
        (frame(5, 9, b"\0"), 3),
        (frame(6, 9, b"\0"), 3),
        (frame(7, 9, b"\0" * 6), 3),
        (frame(7, 9, struct.pack("<BIH", 9, 0, 4)), 4),
        (frame(7, 9, struct.pack("<BIH", 2, 1_000_000, 4)), 4),
        (frame(7, 9, struct.pack("<BIH", 2, 0, 1025)), 4),
        (frame(4, 9, struct.pack("<I", 47) + b"ab"), 4),
        (frame(4, 9, struct.pack("<I", 0xFFFFFFFF) + b"ab"), 4),
    ],
)
def test_what_is_not_obeyed_is_refused_with_a_reason(scripted: Make, sent: bytes, code: int) -> None:
    kind, sequence, answer = unframe(scripted().library.console(sent))
    assert (kind, sequence, answer[0]) == (NAK, 9, code)
    assert answer[1:].isascii()


@pytest.mark.parametrize(
    "bad",
    [
        tlv((99, b"x")),
        tlv((1, b"")),
        tlv((1, b"x" * 33)),
        tlv((1, b"a\r\nAT+RST")),
        tlv((3, b'h"ost')),
        tlv((4, b"\0\0")),
        tlv((4, b"\1")),
        tlv((7, b"a,b")),
        tlv((7, b"a/+/b")),
        tlv((8, struct.pack("<I", 10))),
        tlv((9, struct.pack("<I", 123))),
        tlv((9, struct.pack("<I", 99_000_000))),
        tlv((11, struct.pack("<I", 0))),
        tlv((12, struct.pack("<f", 1.5))),
        tlv((12, struct.pack("<f", float("nan")))),
        tlv((13, struct.pack("<f", -0.1))),
        b"\1",
        b"\1\5abc",
    ],
)
def test_a_bad_setting_changes_nothing(scripted: Make, bad: bytes) -> None:
    board = scripted()
    kind, answer = board.ask(2, CONFIGURED + bad)
    assert (kind, answer[0]) == (NAK, 4)
    assert board.ask(3)[1][0] == 1  # still not configured


def test_a_repeated_request_is_answered_but_not_done_again(scripted: Make) -> None:
    board = scripted(offload="none")
    board.load(image_of(1, 2, 3))
    request = frame(5, 500, struct.pack("<H", 1))
    first = board.library.console(request)
    board.library.markers()
    assert board.library.console(request) == first
    assert board.library.markers() == []
    again = unframe(board.library.console(frame(5, 501, struct.pack("<H", 1))))
    assert again[:2] == (0x85, 501)
    assert board.library.markers() != []


def test_same_sequence_number_with_other_bytes_is_another_request(scripted: Make) -> None:
    board = scripted()
    assert unframe(board.library.console(frame(4, 1, struct.pack("<I", 0) + b"abc")))[2] == struct.pack("<I", 3)
    assert unframe(board.library.console(frame(4, 1, struct.pack("<I", 3) + b"abcd")))[2] == struct.pack("<I", 7)


def test_a_picture_comes_in_order_or_not_at_all(scripted: Make) -> None:
    board = scripted(offload="none")
    assert board.ask(4, struct.pack("<I", 10) + b"x")[0] == NAK
    assert board.infer(1)["status"] == 4
    board.ask(4, struct.pack("<I", 0) + bytes(IMAGE_BYTES - 1))
    assert board.infer(2)["status"] == 4
    board.ask(4, struct.pack("<I", IMAGE_BYTES - 1) + b"x")
    assert board.infer(3)["status"] == 0


def test_no_region_shows_a_password(scripted: Make) -> None:
    board = scripted()
    board.connect()
    seen = b"".join(board.ask(7, struct.pack("<BIH", region, 0, 1024))[1] for region in range(4))
    seen += b"".join(board.ask(kind)[1] for kind in (1, 6))
    for secret in (b"se,cr", b"pass", b"user", b"10.0.0.1"):
        assert secret not in seen


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=1500))
def test_random_console_bytes_never_stop_the_firmware(scripted: Make, noise: bytes) -> None:
    board = scripted()
    board.library.console(noise + b"\0")
    assert board.ask(1)[0] == 0x81


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 255), st.binary(max_size=1100))
def test_random_requests_are_answered_once(scripted: Make, kind: int, payload: bytes) -> None:
    board = scripted()
    got, _ = board.ask(kind, payload)
    assert got in (NAK, kind | 0x80)
    assert board.ask(1)[0] == 0x81


def test_the_text_dialect_shares_the_console_with_frames(scripted: Make) -> None:
    board = scripted(offload="none")
    assert board.library.console(b"name%") == b"m-name-dut-[agilenn-bench]\r\nm-ready\r\n"
    assert board.ask(1)[0] == 0x81
    board.load(image_of(9, 1, 1))
    assert board.infer(1)["status"] == 0
    board.library.console(b"db load 48%" + b"db " + bytes(image_of(1, 9, 1)).hex().encode()[:62] + b"%")
    assert board.infer(2)["status"] == 4  # the picture is being overwritten
