"""Boots an image by hand, with or without a pty, and tells how it went (`python -m testbeds.virtual run IMAGE`)."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console as Terminal

from harness.contracts.errors import BenchError
from testbeds.timebase import MILLISECOND, SECOND
from testbeds.virtual.board import Board, Shutdown
from testbeds.virtual.faults import GuestFault
from testbeds.virtual.machine import Stop
from testbeds.virtual.mca import compare, find_program
from testbeds.virtual.profile import Profile
from testbeds.virtual.stopping import StopSignals

ACCURACY = "cycle model: +-5 % for generated network code, +-15 % for other code"


def run_by_hand(
    image: Path, *, pty: bool, mhz: float | None, profile: bool, mca: bool, fills: bool, seconds: float
) -> int:
    """Boot `image`. Returns the exit code: 0, or 3 when it faulted."""
    terminal = Terminal(stderr=True)
    if not terminal.is_terminal:
        terminal.width = 160  # a file takes what a narrow screen does not
    if seconds <= 0:
        raise BenchError(f"--seconds {seconds:g} is no time", cure="give a positive number")
    if mca:
        find_program()
    with StopSignals() as signals:
        board = Board(image, fills=fills, with_console=pty, signals=signals)
        return _run(board, signals, terminal, mhz=mhz, profile=profile, mca=mca, seconds=None if pty else seconds)


def _run(
    board: Board,
    signals: StopSignals,
    terminal: Terminal,
    *,
    mhz: float | None,
    profile: bool,
    mca: bool,
    seconds: float | None,
) -> int:
    code = 0
    try:
        if seconds is None and board.console is not None:
            sys.stdout.write(f"USART1 is {board.console.path}; Ctrl-C ends\n")
            sys.stdout.flush()
            board.serve()
        else:
            _run_for(board, signals, seconds or 0.0)
            sys.stdout.buffer.write(bytes(board.console_out))
            sys.stdout.flush()
    except Shutdown:
        pass
    except GuestFault as e:
        board.fault = e
    finally:
        if board.fault is not None:
            code = board.fault.exit_code
            for line in board.fault.record.lines():
                terminal.print(line, markup=False, highlight=False, style="red")
        _report(board, terminal, mhz)
        if profile or mca:
            measured = Profile(board.machine)
            if profile:
                measured.show(terminal)
            if mca:
                _show_mca(measured, terminal)
        board.close()
    return code


def _show_mca(profile: Profile, terminal: Terminal) -> None:
    for one in compare(profile):
        terminal.print(
            f"{one.name} (0x{one.address:08x}, {one.instructions} instructions): {one.model:g} cycles a turn here, "
            f"{one.mca:.2f} by llvm-mca ({one.ratio:.2f})",
            markup=False,
            highlight=False,
        )


def _run_for(board: Board, signals: StopSignals, seconds: float) -> None:
    """Run without a host until nothing is due, or for that much virtual time."""
    machine = board.machine
    while machine.time.now_t < seconds * SECOND and not signals.tripped:
        if machine.run() is Stop.IDLE:
            event = machine.next_event_t()
            if event is None:
                return
            machine.step_idle(max(0, event - machine.time.now_t))


def _report(board: Board, terminal: Terminal, mhz: float | None) -> None:
    machine = board.machine
    counters, hz = machine.model.counters, machine.time.hz
    busy = counters.cycles - counters.skipped
    terminal.print(
        f"{machine.time.now_t / MILLISECOND:.3f} ms virtual at {hz / 1e6:g} MHz; "
        f"{counters.instructions:,} instructions, "
        f"{busy:,} cycles busy, {counters.data_fills:,} data and {counters.instruction_fills:,} instruction line fills",
        highlight=False,
    )
    terminal.print(ACCURACY, highlight=False)
    if mhz is not None and abs(hz / 1e6 - mhz) > 0.01:
        terminal.print(f"the firmware set {hz / 1e6:g} MHz, not {mhz:g}", style="yellow")
    for number, usart in machine.usarts.items():
        if usart.bytes_in or usart.bytes_out or usart.lost or usart.overruns:
            terminal.print(
                f"USART{number}: {usart.bytes_in} bytes in, {usart.bytes_out} out, {usart.overruns} overruns, "
                f"{usart.lost} lost",
                highlight=False,
            )
    for line in board.notes() + machine.bus.report():
        terminal.print(line, markup=False, highlight=False, style="yellow")
