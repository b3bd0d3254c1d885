"""The parser of the Wi-Fi module's line: messages with any bytes, unsolicited lines between any two lines, noise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbeds.firmware.host.hostlib import CodecLibrary

from .firmware_helpers import received

OK, ERROR, BUSY, PROMPT, PUBLISHED, PUBLISH_FAILED, MESSAGE, LINK_DOWN, OTHER, READY = range(1, 11)
UNSOLICITED = [b"WIFI GOT IP\r\n", b"+STA_CONNECTED:1\r\n", b"ERR CODE:0x01\r\n", received(b"OK\r\n>+MQTTPUB:OK\r\n")]


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b"\r\nOK\r\n", OK),
        (b"\r\nERROR\r\n", ERROR),
        (b"FAIL\r\n", ERROR),
        (b"busy p...\r\n", BUSY),
        (b"+MQTTPUB:OK\r\n", PUBLISHED),
        (b"+MQTTPUB:FAIL\r\n", PUBLISH_FAILED),
        (b"WIFI DISCONNECT\r\n", LINK_DOWN),
        (b"+MQTTDISCONNECTED:0\r\n", LINK_DOWN),
        (b"ready\r\n", READY),
        (b"OKAY\r\n", OTHER),
        (b"AT+GMR\r\n", OTHER),
        (b"x" * 5000 + b"\r\n", OTHER),
        (b">", PROMPT),
        (b"\r\n>", PROMPT),
    ],
)
def test_lines(codecs: CodecLibrary, line: bytes, event: int) -> None:
    assert codecs.parse_at(line)[0] == [event]


@given(st.binary(max_size=300))
def test_a_message_holds_any_bytes(codecs: CodecLibrary, payload: bytes) -> None:
    events, messages = codecs.parse_at(b"\r\nOK\r\n" + received(payload) + b"OK\r\n")
    assert messages == [payload]
    assert events == [OK, MESSAGE, OK]


def test_unsolicited_lines_between_any_two_lines(codecs: CodecLibrary) -> None:
    lines = [b"\r\nOK\r\n", b"\r\n>", b"\r\n+MQTTPUB:OK\r\n", received(b"\0\r\nERROR\r\n\0"), b"\r\nOK\r\n"]
    plain, said = codecs.parse_at(b"".join(lines))
    for at in range(len(lines) + 1):
        for extra in UNSOLICITED:
            events, messages = codecs.parse_at(b"".join([*lines[:at], extra, *lines[at:]]))
            wanted = sorted([*said, b"OK\r\n>+MQTTPUB:OK\r\n"]) if b"SUBRECV" in extra else said
            assert sorted(messages) == wanted
            assert [e for e in events if e not in (OTHER, MESSAGE)] == [e for e in plain if e != MESSAGE]


@pytest.mark.parametrize(
    "head",
    [
        b'+MQTTSUBRECV:0,"t",99999999999999999999,',
        b'+MQTTSUBRECV:0,"t",70000,',
        b'+MQTTSUBRECV:0,"t",-1,',
        b"+MQTTSUBRECV:x,",
        b"+MQTTSUBRECV:0,t,3,abc",
        b'+MQTTSUBRECV:0,"t"3,abc',
        b'+MQTTSUBRECV:0,"t\r\n',
    ],
)
def test_a_malformed_message_is_noise_up_to_its_line_end(codecs: CodecLibrary, head: bytes) -> None:
    events, messages = codecs.parse_at(head + b"\r\nOK\r\n")
    assert messages == []
    assert events == [OTHER, OK]


def test_a_message_larger_than_the_room_is_skipped(codecs: CodecLibrary) -> None:
    events, messages = codecs.parse_at(received(b"\r\nOK\r\n" * 20) + b"\r\nOK\r\n", message_room=56)
    assert messages == []
    assert events == [OTHER, OK]


@pytest.mark.slow
@settings(max_examples=500)
@given(
    st.lists(st.sampled_from([b"\r\n", b"+MQTTSUBRECV:", b'0,"', b'",', b"12,", b"OK", b">", b"\0", b"\xff", b"9" * 9]))
)
def test_noise_never_breaks_the_parser(codecs: CodecLibrary, parts: list[bytes]) -> None:
    noise = b"".join(parts)
    # whatever the noise began, at most 12 message bytes or 65552 in a message too large for it can swallow what follows
    events, _ = codecs.parse_at(noise + b"\r\n" * 40_000 + b"OK\r\n")
    assert events[-1] == OK
