"""A frame that the host sends right after a reset waits until the firmware listens."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from testbeds.virtual.board import Board
from testbeds.virtual.machine import Stop

pytestmark = pytest.mark.slow


def test_a_frame_that_comes_with_a_reset_is_answered(firmware: Callable[[str], Path]) -> None:
    """The host writes as soon as the reset is acknowledged, before the guest has run one instruction."""
    ours, theirs = socket.socketpair()
    host = -1

    def reset(board: Board, data: bytes) -> None:
        board.reset()
        os.write(host, b"hello\0")

    board = Board(firmware("echo"), control=theirs, handle=reset)
    assert board.console is not None
    host = os.open(board.console.path, os.O_RDWR | os.O_NOCTTY)
    try:
        board.run_until_parked()
        board.parked = True
        ours.send(b"reset")
        board._park()
        assert board.machine.next_event_t() is None  # nothing is on its way to a receiver that is off
        for _ in range(1000):
            if board.parked:
                break
            if board.machine.run() is Stop.IDLE:
                board._idle()
        assert select.select([host], [], [], 5)[0]
        assert os.read(host, 64) == b"hello\0"
    finally:
        os.close(host)
        board.close()
        ours.close()
        theirs.close()
