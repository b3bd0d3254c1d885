"""One inference from picture to label, with a scripted Wi-Fi module and edge."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest

from .firmware_helpers import (
    FEATURES,
    Scripted,
    image_of,
    logits_reply,
    lzw_oracle,
    message,
    received,
    stored_oracle,
)

Make = Callable[..., Scripted]
TABLE = [min(3, v // 60) for v in range(256)]
NONE = 0xFFFF
IDLE, LOCAL, ENCODE, WAIT, COMBINE = 0, 1, 3, 2, 6
NOISE = b"WIFI GOT IP\r\n" + received(b"\r\nOK\r\n", b"agile/t/b/down")


def symbols_of(image: bytes) -> list[int]:
    """Channels 1 and 2 of the stub's feature map, by the oracle's own indexing."""
    height, width, channels = FEATURES
    features = [image[i % 48] - 128 for i in range(height * width * channels)]
    return [TABLE[features[p * channels + c] + 128] for p in range(height * width) for c in (1, 2)]


def local_logits(image: bytes) -> list[float]:
    return [0.5 * (pixel - 128 + 10) for pixel in image[:3]]


def answering(logits: list[float], **changes: int) -> Callable[[bytes], bytes]:
    return lambda payload: received(logits_reply(payload, logits, **changes))


def ready(make: Make, **description: object) -> Scripted:
    board = make(**description)
    board.connect()
    board.library.markers()
    return board


def test_bring_up_dialogue(scripted: Make) -> None:
    board = scripted()
    board.connect()
    assert board.lines == [
        b"AT",
        b"AT",
        b"ATE0",
        b"AT+UART_CUR=4000000,8,1,0,0",
        b"AT",
        b"AT+SYSSTORE=0",
        b"AT+MQTTCLEAN=0",
        b"AT+CWSTATE?",
        b"AT+CWMODE=1",
        b'AT+CWJAP="lab","se\\,cr\\"et\\\\"',
        b"AT+SLEEP=0",
        b"AT+SLEEP?",
        b'AT+MQTTUSERCFG=0,1,"dev1","user","pass",0,0,""',
        b'AT+MQTTCONN=0,"10.0.0.1",1883,0',
        b'AT+MQTTSUB=0,"agile/t/b/down",0',
    ]
    assert board.library.module_baud() == 4_000_000


@pytest.mark.parametrize(
    ("prefix", "status", "word"),
    [
        (b"AT", 2, b"module"),
        (b"AT+UART_CUR", 3, b"baud"),
        (b"AT+SYSSTORE", 4, b"password"),
        (b"AT+CWJAP", 4, b"network"),
        (b"AT+MQTTCONN", 5, b"broker"),
        (b"AT+MQTTSUB", 6, b"subscription"),
    ],
)
@pytest.mark.parametrize("answer", [b"\r\nERROR\r\n", b""])
def test_a_failing_step_is_named(scripted: Make, prefix: bytes, status: int, word: bytes, answer: bytes) -> None:
    board = scripted()
    board.answers[prefix] = answer
    board.connect_only = None  # type: ignore[attr-defined]
    with pytest.raises(AssertionError) as failure:
        board.connect()
    assert word in str(failure.value).encode()
    assert board.ask(3)[1][0] == status


def test_a_module_that_is_clean_refuses_to_be_cleaned_and_that_is_no_failure(scripted: Make) -> None:
    board = scripted()
    board.answers[b"AT+MQTTCLEAN"] = b"\r\nERROR\r\n"
    board.connect()


def test_a_module_that_is_in_the_network_does_not_join_again(scripted: Make) -> None:
    board = scripted()
    board.answers[b"AT+CWSTATE?"] = b'+CWSTATE:2,"lab"\r\n\r\nOK\r\n'
    board.connect()
    assert not any(line.startswith((b"AT+CWJAP", b"AT+CWMODE")) for line in board.lines)


@pytest.mark.parametrize("state", [b'+CWSTATE:2,"other"', b'+CWSTATE:4,"lab"', b'+CWSTATE:2,"lab2"', b"+CWSTATE:0"])
def test_a_module_that_is_in_another_network_or_in_none_joins(scripted: Make, state: bytes) -> None:
    board = scripted()
    board.answers[b"AT+CWSTATE?"] = state + b"\r\n\r\nOK\r\n"
    board.connect()
    assert any(line.startswith(b"AT+CWJAP") for line in board.lines)


def test_a_module_that_sleeps_all_the_same_is_named(scripted: Make) -> None:
    board = scripted()
    board.answers[b"AT+SLEEP?"] = b"+SLEEP:1\r\n\r\nOK\r\n"
    with pytest.raises(AssertionError, match="sleep between"):
        board.connect()


def test_a_busy_module_is_asked_again(scripted: Make) -> None:
    board = scripted()
    original, busy = board._module, [b"busy p...\r\n"] * 2

    def module(data: bytes) -> bytes:
        return busy.pop() if data.startswith(b"AT+CWMODE") and busy else original(data)

    board.library.start_app(module)
    board.connect()
    assert busy == []


@pytest.mark.parametrize("noise", [b"", NOISE])
def test_an_offloaded_inference(scripted: Make, noise: bytes) -> None:
    board = ready(scripted)
    board.noise = noise
    remote = [1.5, -2.25, 30.0]
    board.reply = answering(remote)
    image = image_of(100, 160, 90)
    board.load(image)
    result = board.infer(0x1234)
    symbols = symbols_of(image)
    body, codec = lzw_oracle(symbols, 4), 1
    if len(body) >= len(stored_oracle(symbols, 4)):
        body, codec = stored_oracle(symbols, 4), 0
    assert board.published == [message(body, codec, 0x1234, board.library.info.weights)]
    combined = np.float32(0.25) * np.float32(local_logits(image)) + np.float32(0.75) * np.float32(remote)
    assert board.ask(7, struct.pack("<BIH", 1, 0, 12)) == (0x87, combined.astype("<f4").tobytes())
    assert board.ask(7, struct.pack("<BIH", 2, 0, 1024)) == (0x87, board.published[0])
    assert board.ask(7, struct.pack("<BIH", 0, 0, 3))[1] == bytes((p - 128) & 255 for p in image[:3])
    assert (result["status"], result["exited"], result["codec"]) == (0, 0, codec)
    assert (result["label"], result["local"]) == (int(np.argmax(combined)), 1)
    assert (result["payload"], result["symbols"]) == (16 + len(body), 32)
    assert board.library.markers() == [LOCAL, ENCODE, WAIT, COMBINE, IDLE]


def test_bytes_that_compress_are_sent_by_lzw(scripted: Make) -> None:
    board = ready(scripted)
    board.reply = answering([0.0, 0.0, 1.0])
    board.load(bytes([200] * 48))
    assert board.infer(1)["codec"] == 1
    assert board.published[0][16:] == lzw_oracle([3] * 32, 4)


@pytest.mark.parametrize("changes", [{"sequence": 8}, {"weights": 5}], ids=["late", "of other weights"])
def test_a_foreign_reply_is_dropped_and_the_right_one_taken(scripted: Make, changes: dict[str, int]) -> None:
    board = ready(scripted)
    board.reply = lambda p: answering([9.0, 0.0, 0.0], **changes)(p) + answering([0.0, 0.0, 500.0])(p)
    board.load(image_of(0, 0, 0))
    assert board.infer(9)["label"] == 2
    assert struct.unpack("<7I", board.ask(6)[1])[6] >= 1


def test_a_corrupt_a_short_and_a_doubled_reply(scripted: Make) -> None:
    board = ready(scripted)

    def reply(payload: bytes) -> bytes:
        good = logits_reply(payload, [0.0, 500.0, 0.0])
        bad = good[:-1] + bytes([good[-1] ^ 1])
        return received(bad) + received(good[:10]) + received(b"") + received(good) + received(good)

    board.reply = reply
    board.load(image_of(0, 0, 0))
    first = struct.unpack("<7I", board.ask(6)[1])[6]
    assert board.infer(1)["label"] == 1
    assert board.infer(2)["label"] == 1
    assert struct.unpack("<7I", board.ask(6)[1])[6] - first >= 7  # 3 and a double, 3 and a double


def test_no_reply_is_a_timeout_and_the_next_inference_works(scripted: Make) -> None:
    board = ready(scripted)
    board.load(image_of(0, 0, 0))
    result = board.infer(1)
    assert (result["status"], result["label"]) == (1, NONE)
    assert result["wait_c"] >= 500 * 100_000  # the 500 ms of CONFIG at 100 MHz
    assert board.ask(7, struct.pack("<BIH", 1, 0, 12)) == (0x87, b"")
    board.reply = answering([0.0, 500.0, 0.0])
    assert board.infer(2)["label"] == 1


@pytest.mark.parametrize("status", [1, 2, 3])
def test_an_edge_that_refuses(scripted: Make, status: int) -> None:
    board = ready(scripted)
    board.reply = answering([], status=status, weights=0)
    board.load(image_of(0, 0, 0))
    result = board.infer(1)
    assert (result["status"], result["label"], result["local"]) == (2, NONE, 0)


@pytest.mark.parametrize("line", [b"WIFI DISCONNECT\r\n", b"+MQTTDISCONNECTED:0\r\n", b"ready\r\n"])
def test_a_lost_connection_ends_the_wait_and_connect_mends_it(scripted: Make, line: bytes) -> None:
    board = ready(scripted)
    board.reply = lambda _p: line
    board.load(image_of(0, 0, 0))
    assert board.infer(1)["status"] == 3
    assert board.infer(2)["status"] == 3  # nothing is even sent
    assert len(board.published) == 1
    board.connect()
    board.reply = answering([0.0, 500.0, 0.0])
    assert board.infer(3)["label"] == 1


def test_a_message_that_stops_in_the_middle_is_given_up(scripted: Make) -> None:
    board = ready(scripted)
    board.reply = lambda p: answering([0.0, 0.0, 0.0])(p)[:-20]
    board.load(image_of(0, 0, 0))
    assert board.infer(1)["status"] == 1
    board.reply = answering([0.0, 500.0, 0.0])
    assert board.infer(2)["label"] == 1


def test_local_only_never_touches_the_module(scripted: Make) -> None:
    board = scripted(offload="none", features_output=-1, channels=0, symbol_table=[], alpha=1.0)
    board.library.markers()
    image = image_of(3, 4, 200)
    board.load(image)
    result = board.infer(1)
    assert (result["status"], result["label"], result["local"], result["payload"]) == (0, 2, 2, 0)
    assert (result["encode_c"], result["wait_c"], result["exited"]) == (0, 0, 0)
    assert board.lines == []
    assert board.library.markers() == [LOCAL, COMBINE, IDLE]


@pytest.mark.parametrize(("threshold", "leaves"), [(0.5, True), (0.999, False), (2.0, False)])
def test_exit_by_the_probability_of_the_local_answer(scripted: Make, threshold: float, leaves: bool) -> None:
    board = ready(scripted, exit_threshold=threshold)
    board.reply = answering([0.0, 0.0, 900.0])
    image = image_of(134, 128, 128)  # logits 8, 5, 5: top probability 0.909
    board.load(image)
    result = board.infer(1)
    assert (result["exited"], len(board.published)) == (int(leaves), int(not leaves))
    assert result["label"] == (0 if leaves else 2)


def test_alpha_and_threshold_can_be_set_by_config(scripted: Make) -> None:
    board = ready(scripted)
    board.reply = answering([0.0, 0.0, 900.0])
    board.load(image_of(134, 128, 128))
    assert board.infer(1)["label"] == 2
    board.ask(2, bytes([12, 4]) + struct.pack("<f", 1.0))
    assert board.infer(2)["label"] == 0
    board.ask(2, bytes([13, 4]) + struct.pack("<f", 0.5))
    assert board.infer(3)["exited"] == 1


def test_a_whole_picture_offloaded(scripted: Make) -> None:
    board = ready(
        scripted, graph=False, offload="image", features_output=-1, local_logits_output=-1, symbol_table=[],
        n_symbols=256, channels=0, first_channel=0, alpha=0.0,
    )  # fmt: skip
    board.reply = answering([0.0, 2.0, 1.0])
    image = image_of()
    board.load(image)
    result = board.infer(1)
    assert (result["label"], result["local"], result["codec"], result["symbols"]) == (1, NONE, 0, 48)
    assert board.published[0][16:] == image
    assert board.ask(7, struct.pack("<BIH", 1, 0, 12))[1] == struct.pack("<3f", 0.0, 2.0, 1.0)
