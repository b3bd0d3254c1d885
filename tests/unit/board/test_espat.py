"""The ESP-AT module's protocol: dialogue, errors, bounds, whatever bytes come."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbeds.espat.arguments import BadArguments, split_arguments
from testbeds.espat.host import ModuleHost, ModuleTiming
from testbeds.espat.module import MAX_LINE, US, AtModule, Mqtt
from testbeds.espat.mqtt import publish_bytes
from testbeds.espat.uart import FRAME_BITS, Receiver
from testbeds.timebase import MILLISECOND, SECOND

pytestmark = pytest.mark.slow


class Host(ModuleHost):
    """Keeps what the module does."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.published: list[tuple[int, str, bytes]] = []
        self.bauds: list[tuple[int, int]] = []
        self.topics: list[str] = []
        self.user: tuple[str, ...] = ()
        self.reachable = True

    def send(self, data: bytes, at: int) -> int:
        self.sent.append((at, data))
        return at + len(data) * US

    def set_baud(self, baud: int, at: int) -> None:
        self.bauds.append((at, baud))

    def connect(self, at: int, host: str, port: int, client: str, user: str, password: str) -> bool:
        self.user = (host, str(port), client, user, password)
        return self.reachable

    def subscribe(self, at: int, topic: str) -> bool:
        self.topics.append(topic)
        return self.reachable

    def publish(self, at: int, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        self.published.append((at, topic, payload))
        return self.reachable

    def disconnect(self, at: int) -> None:
        pass

    @property
    def said(self) -> bytes:
        return b"".join(data for _, data in self.sent)


@pytest.fixture
def host() -> Host:
    return Host()


def module_of(host: Host, **timing: float) -> AtModule:
    return AtModule(host, ModuleTiming(**timing))  # type: ignore[arg-type]


def say(module: AtModule, host: Host, text: str, at: int) -> bytes:
    host.sent.clear()
    module.feed(text.encode() + b"\r\n", at)
    return host.said


def associate(module: AtModule, host: Host) -> int:
    at = 0
    for line in (
        "ATE0", "AT+CWMODE=1", "AT+SLEEP=0", 'AT+CWJAP="bench","p\\,w\\"d"',
        'AT+MQTTUSERCFG=0,1,"client","user","pw",0,0,""',
        'AT+MQTTCONN=0,"127.0.0.1",1883,0', 'AT+MQTTSUB=0,"a/b/down",0',
    ):  # fmt: skip
        at += 10 * SECOND
        assert say(module, host, line, at).endswith(b"OK\r\n"), line
    return at + 10 * SECOND


def test_the_whole_dialogue(host: Host) -> None:
    module = module_of(host)
    at = associate(module, host)
    assert host.user == ("127.0.0.1", "1883", "client", "user", "pw")
    assert host.topics == ["a/b/down"]
    assert say(module, host, 'AT+MQTTPUBRAW=0,"a/b/up",5,0,0', at) == b"\r\nOK\r\n\r\n>\r\n"
    host.sent.clear()
    end = at + MILLISECOND
    module.feed(b"\r\n\0\xff+", end)
    assert host.published == [(end + 500 * US, "a/b/up", b"\r\n\0\xff+")]
    assert host.sent == [(end + 500 * US, b"\r\n+MQTTPUB:OK\r\n")]
    host.sent.clear()
    module.message("a/b/down", b"\r\n>OK", end)
    assert host.sent == [(end + 500 * US, b'+MQTTSUBRECV:0,"a/b/down",5,\r\n>OK\r\n')]


USER = 'AT+MQTTUSERCFG=0,1,"client","user","pw",0,0,""'


def test_joining_again_cuts_the_connection_and_the_client_has_to_be_cleaned(host: Host) -> None:
    """Up to 5 s, in which everything else is answered by busy (docs/protocol.md)."""
    module = module_of(host)
    at = associate(module, host)
    joined = say(module, host, 'AT+CWJAP="bench","pw"', at)
    assert joined.startswith(b"WIFI DISCONNECT\r\n+MQTTDISCONNECTED:0\r\n") and joined.endswith(b"\r\nOK\r\n")
    at += 2 * SECOND
    assert b"+MQTTCONN:0,3\r\n" in say(module, host, "AT+MQTTCONN?", at)
    assert say(module, host, USER, at + SECOND) == b"\r\nERROR\r\n"
    assert say(module, host, 'AT+MQTTCONN=0,"h",1883,0', at + 2 * SECOND) == b"\r\nERROR\r\n"
    host.sent.clear()
    module.feed(b"AT+MQTTCLEAN=0\r\n", at + 3 * SECOND)
    assert host.sent == [(at + 8 * SECOND + 200 * US, b"\r\nOK\r\n")]
    assert say(module, host, "AT", at + 4 * SECOND) == b"busy p...\r\n"
    assert say(module, host, USER, at + 9 * SECOND) == b"\r\nOK\r\n"


def test_there_is_nothing_to_clean_twice(host: Host) -> None:
    module = module_of(host)
    at = associate(module, host)
    assert say(module, host, "AT+MQTTCLEAN=0", at).endswith(b"OK\r\n")
    assert say(module, host, "AT+MQTTCLEAN=0", at + 2 * SECOND) == b"\r\nERROR\r\n"
    assert module.mqtt is Mqtt.CLEAN


def test_a_rebooting_module_is_deaf_and_forgets_all_but_its_flash(host: Host) -> None:
    module = module_of(host)
    at = associate(module, host)
    assert module.flash == ("bench", 'p,w"d')  # AT+SYSSTORE was left as delivered
    host.sent.clear()
    module.reboot(at)
    module.feed(b"AT\r\n", at + 499 * MILLISECOND)
    assert host.sent == [(at + 500 * MILLISECOND, b"\r\nready\r\n")]
    assert say(module, host, "AT+CWSTATE?", at + SECOND).endswith(b'+CWSTATE:0,""\r\n\r\nOK\r\n')
    assert (module.connected, module.stores, module.sleep, module.flash[0]) == (False, True, 1, "bench")


def test_a_sleeping_module_hears_of_a_message_with_the_next_beacon(host: Host) -> None:
    module = module_of(host)
    at = associate(module, host)
    say(module, host, "AT+SLEEP=1", at)
    host.sent.clear()
    beacon = round(102.4 * MILLISECOND)
    module.message("a/b/down", b"x", 3 * beacon + 1)
    assert host.sent[0][0] == 4 * beacon + 500 * US


def heard(data: bytes, sent_at: int, received_at: int) -> bytes:
    """What a receiver makes of bytes sent back to back at another rate."""
    frame = FRAME_BITS * SECOND // sent_at
    receiver = Receiver(FRAME_BITS * SECOND // received_at)
    out = b"".join(receiver.take(byte, k * frame, (k + 1) * frame) for k, byte in enumerate(data))
    return out + receiver.idle((len(data) + 1) * frame + SECOND)


@given(st.binary(max_size=40), st.sampled_from([115_200, 921_600, 4_000_000]))
def test_bytes_at_the_receivers_own_rate_come_whole(data: bytes, rate: int) -> None:
    assert heard(data, rate, rate) == data


def test_bytes_at_another_rate_come_as_others() -> None:
    slow = heard(b"A", 115_200, 4_000_000)  # 0x41: the line is low for the start bit, and for five and one zeros
    assert slow == b"\0\0\0"
    fast = heard(b"AT\r\n" * 8, 4_000_000, 115_200)
    assert 1 <= len(fast) <= 2  # 32 bytes last for hardly one at 115200


@given(st.binary(max_size=40), st.integers(300, 5_000_000), st.integers(300, 5_000_000))
def test_no_rate_makes_more_bytes_than_edges(data: bytes, sent: int, received: int) -> None:
    assert len(heard(data, sent, received)) <= 5 * len(data)


def test_answers_come_after_the_modules_own_time(host: Host) -> None:
    module = module_of(host, command_us=123.0)
    module.feed(b"ATE0\r\n", 0)
    host.sent.clear()
    module.feed(b"AT\r\n", SECOND)
    assert host.sent == [(SECOND + 123 * US, b"\r\nOK\r\n")]


def test_echo_until_it_is_switched_off(host: Host) -> None:
    module = module_of(host)
    assert say(module, host, "AT", SECOND) == b"AT\r\n\r\nOK\r\n"
    assert say(module, host, "ATE0", 2 * SECOND) == b"ATE0\r\n\r\nOK\r\n"
    assert say(module, host, "AT", 3 * SECOND) == b"\r\nOK\r\n"


def test_the_baud_rate_changes_after_the_ok_at_the_old_one(host: Host) -> None:
    module = module_of(host)
    module.feed(b"ATE0\r\n", 0)
    host.sent.clear()
    module.feed(b"AT+UART_CUR=4000000,8,1,0,0\r\n", SECOND)
    (at, data), (switch, baud) = host.sent[0], host.bauds[0]
    assert baud == 4_000_000 and switch == at + len(data) * US


def test_a_busy_module_says_so(host: Host) -> None:
    module = module_of(host)
    module.feed(b"ATE0\r\n", 0)
    host.sent.clear()
    module.feed(b'AT+CWJAP="s","p"\r\n', SECOND)
    module.feed(b"AT\r\n", SECOND + MILLISECOND)
    assert b"busy p..." in host.said


@pytest.mark.parametrize(
    "line",
    [
        "AT+NOSUCH", "AT+UART_CUR=1,8,1,0,0", "AT+UART_CUR=9600,7,1,0,0", "AT+UART_CUR=9600", 'AT+CWJAP="open',
        "AT+CWMODE=9", 'AT+MQTTPUBRAW=0,"t",5,0,0', 'AT+MQTTCONN=0,"h",1883,0', 'AT+MQTTSUB=0,"t",0', "AT+MQTTCLEAN=1",
        'AT+MQTTUSERCFG=0,2,"c","","",0,0,""', "AT+CWJAP=1,2", "at", "AT+MQTTSUB",
    ],
)  # fmt: skip
def test_wrong_commands_are_answered_with_error(host: Host, line: str) -> None:
    module = module_of(host)
    say(module, host, "ATE0", SECOND)
    assert say(module, host, line, 10 * SECOND) == b"\r\nERROR\r\n"
    assert say(module, host, "AT", 100 * SECOND) == b"\r\nOK\r\n"


@pytest.mark.parametrize("length", [0, 65_553, 10**9])
def test_a_publish_length_out_of_bounds_is_an_error(host: Host, length: int) -> None:
    module = module_of(host)
    at = associate(module, host)
    assert say(module, host, f'AT+MQTTPUBRAW=0,"a/b/up",{length},0,0', at) == b"\r\nERROR\r\n"


def test_a_broker_that_refuses_or_goes_away(host: Host) -> None:
    module = module_of(host)
    at = associate(module, host)
    host.reachable = False
    say(module, host, 'AT+MQTTPUBRAW=0,"a/b/up",1,0,0', at)
    host.sent.clear()
    module.feed(b"x", at + 10 * MILLISECOND)
    assert b"+MQTTPUB:FAIL" in host.said
    module.lost(at + 2 * 10 * MILLISECOND)
    module.lost(at + 3 * 10 * MILLISECOND)
    assert host.said.count(b"+MQTTDISCONNECTED:0\r\n") == 1
    assert say(module, host, 'AT+MQTTPUBRAW=0,"a/b/up",1,0,0', at + SECOND) == b"\r\nERROR\r\n"


def test_a_line_too_long_is_an_error_and_the_next_one_is_read(host: Host) -> None:
    module = module_of(host)
    say(module, host, "ATE0", SECOND)
    assert say(module, host, "AT" + "x" * 10_000, 10 * SECOND) == b"\r\nERROR\r\n"
    assert len(module._line) < MAX_LINE
    assert say(module, host, "AT", 100 * SECOND) == b"\r\nOK\r\n"


def test_unsolicited_lines_can_be_injected_anywhere(host: Host) -> None:
    module = module_of(host)
    say(module, host, "ATE0", SECOND)
    module.noise = lambda _at: b"WIFI GOT IP\r\n"
    assert say(module, host, "AT", 10 * SECOND) == b"WIFI GOT IP\r\n\r\nOK\r\n"


def test_a_snapshot_brings_everything_back(host: Host) -> None:
    module = module_of(host)
    at = associate(module, host)
    say(module, host, 'AT+MQTTPUBRAW=0,"a/b/up",4,0,0', at)
    module.feed(b"12", at + 10 * MILLISECOND)
    state = module.state()
    for _ in range(2):
        host.published.clear()
        module.feed(b"34", at + 2 * 10 * MILLISECOND)
        assert host.published[0][2] == b"1234"
        module.feed(b"AT+MQTTCLEAN=0\r\n", at + SECOND)
        module.restore(state)


PIECES = (
    b"AT\r\n", b"\r\n", b'AT+MQTTPUBRAW=0,"t",70,0,0\r\n', b'AT+CWJAP="a","b"\r\n', b'AT+MQTTCONN=0,"h",1,0\r\n',
    b'AT+MQTTUSERCFG=0,1,"c","","",0,0,""\r\n', b"AT+UART_CUR=115200,8,1,0,0\r\n", b"AT+RST\r\n", b'"\\,\\',
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.one_of(st.binary(max_size=400), st.sampled_from(PIECES)), max_size=20))
def test_any_bytes_leave_a_bounded_module_that_recovers(pieces: list[bytes]) -> None:
    host = Host()
    module = AtModule(host)
    at = 0
    for piece in pieces:
        at += 10 * SECOND
        module.feed(piece, at)
        assert len(module._line) < MAX_LINE and len(module._raw) <= module.timing.max_publish_bytes
    module.feed(b"\0" * module._raw_left + b"\r\n", at + 10 * SECOND)
    host.sent.clear()
    module.feed(b"AT\r\n", at + 100 * SECOND)
    assert host.said.endswith(b"\r\nOK\r\n")


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40), st.integers(0, 10**9))
def test_arguments_come_back_as_they_were_quoted(text: str, number: int) -> None:
    quoted = "".join("\\" + c if c in '",\\' else c for c in text)
    assert split_arguments(f'{number},"{quoted}",,{number}') == [number, text, "", number]


@given(st.text(max_size=60))
def test_any_arguments_are_taken_or_refused(text: str) -> None:
    with contextlib.suppress(BadArguments):
        assert split_arguments(text)


@pytest.mark.parametrize(("payload", "expected"), [(0, 2 + 5), (120, 2 + 125), (200, 3 + 205), (65_552, 4 + 65_557)])
def test_publish_packet_sizes(payload: int, expected: int) -> None:
    assert publish_bytes("abc", payload) == expected
