"""Every peripheral, exercised by a firmware of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from testbeds.timebase import MICROSECOND
from testbeds.virtual.board import Board
from testbeds.virtual.faults import GuestFault

pytestmark = pytest.mark.slow

Make = Callable[..., Any]


def test_console_echoes_a_frame_at_its_baud_rate(bench: Make) -> None:
    board = bench("echo").run()
    usart = board.machine.usarts[1]
    assert usart.baud == 1_000_000
    start = board.machine.time.now_t
    board.deliver(b"hello\0").run()
    assert bytes(board.sent) == b"hello\0"
    assert usart.overruns == 0
    elapsed_us = (board.machine.time.now_t - start) / MICROSECOND
    assert 120 <= elapsed_us < 123  # six bytes in, six bytes out, 10 us each, and the firmware's own time


def test_bytes_that_nobody_takes_are_lost_and_flagged(bench: Make) -> None:
    board = bench("overrun").run().deliver(b"1234").run()
    first, status, second, cleared = board.results[:4]
    assert (first, second) == (ord("1"), ord("2"))
    assert status & 0x28 == 0x28  # ORE and RXNE
    assert cleared & 0x28 == 0
    assert board.machine.usarts[1].overruns == 2
    assert bytes(board.sent) == b"AB" and board.done


def test_peripherals_are_dead_without_their_clock_and_the_cycle_counter_while_locked(bench: Make) -> None:
    board = bench("dead").run()
    r = board.results
    assert r[0] == 0 and r[1] == 1234
    assert r[2] == r[3] == 0 and r[4] == 0 and r[5] == 3
    assert r[6] == 1 and r[7] > 15 and r[8] == 0
    assert r[9] == 1024 and r[10] == 0x411FC271 and r[11] == 1
    report = board.machine.bus.report()
    assert any("0x4001100c (USART1 without its RCC clock)" in line and "pc 0x080" in line for line in report)
    assert any("0x40016800" in line for line in report)
    assert any("write of 0x40011030 (USART1)" in line for line in report)


def test_timers_count_at_their_clock_and_interrupt(bench: Make) -> None:
    board = bench("timers").run()
    r = board.results
    assert board.done
    assert 216_000 <= r[0] < 216_000 + 700
    assert 216_000 <= r[1] < 216_000 + 500
    assert r[2] == 0
    assert 5 * 216_000 - 100 < r[3] < 5 * 216_000 + 1500 and r[4] == 5
    assert r[5] in (5, 6)


@pytest.mark.parametrize("number", range(1, 7))
def test_every_usart_by_polling_and_by_interrupt(bench: Make, number: int) -> None:
    board = bench("every", USART=number)
    usart, sent = board.machine.usarts[number], []
    usart.on_byte = lambda byte, start, end: sent.append((byte, end - start))
    usart_at = board.machine.time
    board.run()
    assert usart.baud == 1e6
    usart.deliver(b"A", usart_at.now_t)
    board.run()
    usart.deliver(b"z", usart_at.now_t)
    r = board.run().results
    assert board.done and usart.overruns == 0
    assert r[0] == ord("A") and sent == [(ord("B"), 10 * MICROSECOND)]
    assert 2160 - 60 < r[1] < 2160 + 60
    assert r[2] == ord("z") and r[3] == 1


@pytest.mark.parametrize("number", range(2, 6))
def test_every_timer_by_polling_and_by_interrupt(bench: Make, number: int) -> None:
    board = bench("every", TIMER=number).run()
    r = board.results
    assert board.done
    assert 21_600 - 100 < r[0] < 21_600 + 500  # a loop that polls a clock is let forward by the microsecond
    assert 3 * 21_600 - 400 < r[1] < 3 * 21_600 + 400 and r[2] == 3
    assert r[3] == (0xFFFFFFFF if number in (2, 5) else 0xFFFF)


def test_threads_switch_by_pendsv_with_floating_point_state(bench: Make) -> None:
    board = bench("rtos").run()
    r = board.results
    assert board.done
    assert r[0] >= 10 and r[1] >= 12 and r[2] == 1 and r[3] == 42 and r[4] == 1
    assert r[5] == 1 and r[10] == 1 and r[9] == 16 + 37  # the more urgent interrupt preempted the other handler
    assert r[6] == 1 and r[7] == 2  # BASEPRI held it back, then let it go


def test_usart_by_interrupt_while_the_core_sleeps(bench: Make) -> None:
    board = bench("interrupt_echo").run().deliver(b"HAL").run()
    assert bytes(board.sent) == b"IBM" and board.results[0] == 3
    assert board.machine.usarts[1].overruns == 0


def test_gpio_and_the_registers_that_only_keep(bench: Make) -> None:
    seen: list[int] = []
    board = bench("gpio", options={"marker_pins": (("I", 0), ("I", 3), ("I", 2))})
    board.machine.on_marker = lambda _t, code: seen.append(code)
    r = board.run().results
    assert r[0] == 1 and r[1] == 0 and r[2] == 1 and r[3] == 0xA8000000 and r[4] == 8
    assert r[5] == 0x1234 and r[6] == 0 and r[7] == 0x20010000 and r[8] == 0x03080023
    assert r[9] == 3 and r[10] & 0x0FFFFFF8 == (31 << 13 | 3 << 3) and r[11] == 0
    assert seen == [0b001, 0b011, 0b010, 0b110, 0b000, 0b010]


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (1, "6 flash wait states, 7 are needed"),
        (2, "without over-drive"),
        (3, "write at 0x08001000 (flash, which is not writable)"),
        (4, "read at 0x20050000 (no memory there)"),
        (5, "fetch at 0x60000000"),
        (6, "undefined instruction"),
        (7, "FPU"),
        (8, "PLL"),
        (9, "APB1"),
        (10, "breakpoint"),
        (11, "oscillator that is off"),
        (12, "read at 0x08100000"),
        (13, "unaligned access at 0x20008002"),
        (14, "unaligned access at 0x20008002"),
        (15, "unaligned access at 0x20008006"),
        (16, "unaligned access at 0x20008002"),
        (17, "unaligned access at 0x20008002"),
    ],
)
def test_the_chip_does_not_allow(bench: Make, case: int, says: str) -> None:
    board = bench("strict", CASE=case)
    with pytest.raises(GuestFault) as caught:
        board.run()
    record = caught.value.record
    assert says in record.what
    assert board.results[0] == 1 and board.results[2] == 0
    assert set(record.registers) >= {"r0", "sp", "lr", "pc", "xpsr"}
    assert 0x08000000 <= record.pc < 0x08001000 or case == 5
    if case not in (5,):
        assert record.function.startswith(("test", "reset"))
    assert "Traceback" not in "\n".join(record.lines())


def test_a_firmwares_own_timeout_ends_in_virtual_time(firmware: Make) -> None:
    board = Board(firmware("sleepy"), with_console=False)
    board.run_until_parked()
    board.deliver(b"x")
    board.run_until_parked()
    assert bytes(board.console_out) == b"x\0"
    address = board.machine.image.symbols["results"]
    waited = int.from_bytes(bytes(board.machine.uc.mem_read(address, 4)), "little")
    board.close()
    assert 0 <= waited - 216_000 * 30 <= 216_000  # at most one step of 1 ms late
