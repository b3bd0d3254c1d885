"""The firmware against the modelled module in the states that real ones get into, and the first AT client, which each
of these states defeated."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from testbeds.espat.host import ModuleTiming
from testbeds.espat.module import Mqtt
from testbeds.firmware.host.schemelib import HostLibrary
from testbeds.timebase import MILLISECOND, SECOND

from .firmware_helpers import logits_reply
from .module_line import OldClient, Wired

Library = Callable[..., HostLibrary]
SLOW = ModuleTiming(clean_lost_ms=9000.0)


@pytest.fixture
def wired(library_of: Library) -> Callable[..., Wired]:
    """wired(timing) -> the firmware and a module at power-up."""
    return lambda timing=None: Wired(library_of(), timing)


def answer(board: Wired) -> None:
    """Give the edge's answer and see the inference through."""
    board.line.reply = lambda p: logits_reply(p, [0.0, 500.0, 0.0])
    board.load(bytes([200] * 48))
    assert board.infer(1)["label"] == 1


# --- connecting again ---
def test_the_first_client_could_not_connect_twice() -> None:
    board = OldClient(ModuleTiming(), raised=115_200)
    assert board.connect() == ""
    assert board.connect() == "AT+MQTTUSERCFG"  # its join cut the connection; AT+MQTTCLEAN took longer than its second
    assert board.connect() == "AT"  # and the module is still busy


def test_the_first_client_lost_a_module_whose_rate_it_had_raised() -> None:
    board = OldClient(ModuleTiming())
    assert board.connect() == ""
    for _ in range(3):
        assert board.connect() == "AT"  # its try at 115200 left bytes in the line: ERROR, taken for silence
        board.t += 10 * SECOND


def test_connecting_again_and_again(wired: Callable[..., Wired]) -> None:
    board = wired()
    for _ in range(3):
        board.connect()
        answer(board)
        board.restart()
    assert sum(line.startswith(b"AT+CWJAP") for line in board.lines) == 1


def test_a_clean_that_takes_nine_seconds(wired: Callable[..., Wired]) -> None:
    board = wired(SLOW)
    board.connect()
    board.module.lost(board.library.time_us())
    before = board.library.time_us()
    board.restart()
    board.connect()
    assert 9e6 < board.library.time_us() - before < 10e6
    answer(board)


def test_nothing_is_kept_in_the_modules_flash_and_it_does_not_sleep(wired: Callable[..., Wired]) -> None:
    board = wired()
    assert (board.module.stores, board.module.sleep) == (True, 1)
    board.connect()
    assert (board.module.flash, board.module.sleep) == ((), 0)


# --- busy, booting, deaf ---
def test_the_first_client_took_busy_for_no_module() -> None:
    board = OldClient(ModuleTiming(), raised=115_200)
    assert board.connect() == ""
    board.line.module.hold(board.t, board.t + 3 * SECOND)
    assert board.connect() == "AT"


def test_the_first_client_never_found_a_module_that_had_been_booting() -> None:
    board = OldClient(ModuleTiming(boot_ms=500))
    board.line.module.reboot(board.t)
    for _ in range(5):
        assert board.connect() == "AT"
        board.t += 10 * SECOND


@pytest.mark.parametrize("seconds", [0.3, 3, 12])
def test_a_busy_module_is_waited_for(wired: Callable[..., Wired], seconds: float) -> None:
    board = wired()
    for raised in (False, True):  # at the factory rate, then at the raised one
        now = board.library.time_us() * (SECOND // 10**6)
        board.module.hold(now, now + round(seconds * SECOND))
        board.restart()
        board.connect()
        assert raised in (False, True)
        answer(board)


def test_a_module_that_stays_busy_is_named(wired: Callable[..., Wired]) -> None:
    board = wired()
    board.module.hold(0, 1000 * SECOND)
    with pytest.raises(AssertionError, match="stays busy"):
        board.connect()


@pytest.mark.slow
@pytest.mark.parametrize("boot_ms", [50, 150, 250, 350, 450, 700, 1000, 1500])
def test_a_module_that_is_booting_is_waited_for(wired: Callable[..., Wired], boot_ms: float) -> None:
    board = wired(ModuleTiming(boot_ms=boot_ms))
    for _ in range(2):
        board.module.reboot(board.library.time_us() * (SECOND // 10**6))
        board.restart()
        board.connect()
        answer(board)


@pytest.mark.parametrize("left", [b"\0", b"AT+", b"\xff" * 300, b"\r", b"AT+CWMODE=1"])
def test_whatever_lies_in_the_modules_line(wired: Callable[..., Wired], left: bytes) -> None:
    board = wired()
    board.module.feed(left, 0)
    board.connect()
    answer(board)


@pytest.mark.parametrize("command", ["AT+UART", "AT+SYSSTORE", "AT+MQTTCLEAN", "AT+CWSTATE", "AT+CWJAP", "AT+SLEEP",
                                     "AT+MQTTUSERCFG", "AT+MQTTCONN", "AT+MQTTSUB"])  # fmt: skip
def test_a_module_that_restarts_while_it_is_brought_up(wired: Callable[..., Wired], command: str) -> None:
    board = wired()
    left = [command]

    def fail(line: str, at: int) -> None:
        if left and line.startswith(left[0]):
            left.clear()
            board.module.reboot(at)

    board.module.on_command = fail
    board.connect()
    assert not left
    answer(board)


def test_a_network_that_is_lost_and_comes_back(wired: Callable[..., Wired]) -> None:
    board = wired()
    board.connect()
    now = board.library.time_us() * (SECOND // 10**6)
    board.module.wifi_lost(now)
    board.wait(10)
    board.load(bytes([200] * 48))
    assert board.infer(1)["status"] == 3
    board.module.wifi_back(now + SECOND, "lab")
    board.wait(1500)
    board.connect()
    answer(board)
    assert sum(line.startswith(b"AT+CWJAP") for line in board.lines) == 1  # it is in the network by itself


# --- a publish cut short ---
def test_the_first_client_left_the_module_deaf_for_ever() -> None:
    board = OldClient(ModuleTiming(), raised=115_200)
    assert board.connect() == ""
    board.publish(bytes(200), sent=100)
    for _ in range(3):
        assert board.connect() == "AT"
        board.t += 10 * SECOND
    assert board.line.module.raw_bytes_awaited


def test_a_publish_cut_at_any_byte_is_completed(wired: Callable[..., Wired]) -> None:
    board = wired()
    board.connect()
    answer(board)
    size = len(board.line.published[-1])
    for cut in range(size):
        board.cut = cut
        assert board.infer(2)["status"] == 1  # as far as a device can tell that has stopped
        assert board.module.raw_bytes_awaited == size - cut
        board.restart()
        board.connect()
        assert board.module.mqtt is Mqtt.SUBSCRIBED
        answer(board)
    assert len(board.line.published) == 1 + 2 * size


def test_a_long_publish_cut_at_its_first_byte(wired: Callable[..., Wired]) -> None:
    """By another image, of a scheme that sends much more."""
    board = wired()
    board.connect()
    now = board.library.time_us() * (SECOND // 10**6)
    board.module.feed(b'AT+MQTTPUBRAW=0,"agile/t/b/up",65552,0,0\r\n', now)
    board.module.feed(b"\1", now + MILLISECOND)
    board.restart()
    board.connect()
    answer(board)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [4_000_000, 2_000_000, 921_600])
def test_a_module_at_a_rate_that_was_set_before(wired: Callable[..., Wired], rate: int) -> None:
    """The lab changed module_baud while the module stayed on, idle or waiting for a payload."""
    board = wired()
    board.connect()
    now = board.library.time_us() * (SECOND // 10**6)
    board.module.feed(f"AT+UART_CUR={rate},8,1,0,0\r\n".encode(), now)
    for waiting in (False, True):
        if waiting:
            board.module.feed(
                b'AT+MQTTPUBRAW=0,"agile/t/b/up",3000,0,0\r\n', board.library.time_us() * (SECOND // 10**6)
            )
        board.restart()
        board.ask(2, b"\x08\x04" + (460_800).to_bytes(4, "little"))
        status, text = board.ask(3)[1][0], board.ask(3)[1][1:]
        assert re.match(rb"not configured", text) and status == 1  # a fresh device knows nothing
        board.connect()
        answer(board)
