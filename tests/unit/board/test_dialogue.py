"""The Wi-Fi module's dialogue as lines: who said what, no password, however it is damaged, and never too many."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbeds.espat.dialogue import MOST_LINES, Dialogue, masked
from testbeds.timebase import MILLISECOND

pytestmark = pytest.mark.slow


def test_lines_of_both_sides_and_a_message_as_its_length() -> None:
    own = Dialogue()
    own.heard(b"AT\r", 2 * MILLISECOND)
    own.said(b"\r\nOK\r\n", 3 * MILLISECOND)
    own.heard_payload(18, 4 * MILLISECOND)
    own.said(b'+MQTTSUBRECV:0,"a/b/down",24,' + b"\0\n\r" * 8 + b"\r\n", 5 * MILLISECOND)
    own.heard(b"\xff\x00AT\r", 6 * MILLISECOND)
    assert own.take() == [
        "2.000 ms > AT",
        "3.000 ms < OK",
        "4.000 ms > (18 bytes of payload)",
        '5.000 ms < +MQTTSUBRECV:0,"a/b/down",24,(24 bytes)',
        "6.000 ms > \\xff\\x00AT",
    ]
    assert own.take() == []


def test_passwords_are_masked_and_what_is_damaged_as_a_whole() -> None:
    assert masked('AT+CWJAP="l\\"ab","secret"') == 'AT+CWJAP="l\\"ab","***"'
    assert masked('AT+MQTTUSERCFG=0,1,"dev","user","secret",0,0,""') == 'AT+MQTTUSERCFG=0,1,"dev","user","***",0,0,""'
    assert masked('x\\xffAT+CWJAP="lab","secret') == "x\\xffAT+CWJAP=***"
    assert masked('AT+CWJAP="lab",secret') == "AT+CWJAP=***"
    assert masked('AT+MQTTCONN=0,"10.0.0.1",1883,0') == 'AT+MQTTCONN=0,"10.0.0.1",1883,0'


def _quoted(text: str) -> str:
    return '"' + re.sub(r'([",\\])', r"\\\1", text) + '"'


@given(st.text("ab\"',\\ ", max_size=8), st.text("xyz\"',\\ ", min_size=1, max_size=8), st.integers(0, 60))
def test_no_password_is_seen_wherever_the_line_ends(ssid: str, secret: str, cut: int) -> None:
    whole = f"AT+CWJAP={_quoted(ssid)},{_quoted('Q' + secret + 'Q')}"
    assert "Q" not in masked(whole)
    assert "Q" not in masked(whole[:-1])
    assert masked(whole[: -max(1, cut)]).count("Q") == 0


def test_the_last_lines_are_kept() -> None:
    own = Dialogue()
    for n in range(MOST_LINES + 5):
        own.heard(b"%d\r" % n, 0)
    lines = own.take()
    assert len(lines) == MOST_LINES
    assert lines[-1].endswith(f"> {MOST_LINES + 4}")
