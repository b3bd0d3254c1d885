"""Runs the emulator as a process: signals, a life tied to the parent's, an orderly end."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from harness.contracts.errors import BenchError
from testbeds.espat.module import ModuleTiming
from testbeds.virtual.board import Board, Shutdown
from testbeds.virtual.control import ControlServer
from testbeds.virtual.link import Retransmission
from testbeds.virtual.stopping import StopSignals

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends, however that ends."""
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0):
        log.debug("no parent-death signal here; the control channel's end is watched instead")
    if os.getppid() != parent:
        raise Shutdown("the parent has gone")


def serve(
    image: Path, control: socket.socket, *, fills: bool, timing: ModuleTiming, retransmission: Retransmission
) -> int:
    """Run `image` until the parent goes or asks to stop. The first line on `control` tells the pty or the error."""
    with StopSignals() as signals:
        settings = {"fills": fills, "timing": timing, "retransmission": retransmission}
        return _serve(image, control, signals, settings)


def _serve(image: Path, control: socket.socket, signals: StopSignals, settings: dict[str, Any]) -> int:
    board = None
    try:
        die_with_parent()
        channel = ControlServer(control.sendall)
        board = Board(image, control=control, handle=channel.handle, signals=signals, **settings)
        assert board.console is not None
        _tell(control, {"ready": True, "pty": board.console.path, "pid": os.getpid()})
        board.serve()
    except Shutdown as e:
        log.debug("%s", e)
    except BenchError as e:
        _tell(control, {"ready": False, "error": e.what, "cure": e.cure})
        return e.exit_code
    finally:
        if board is not None:
            board.close()
        control.close()
    return 0


def _tell(control: socket.socket, what: dict[str, Any]) -> None:
    import json  # noqa: PLC0415

    try:
        control.sendall(json.dumps(what).encode() + b"\n")
    except OSError as e:
        print(what, file=sys.stderr)  # noqa: T201 - nobody listens on the channel
        raise Shutdown("the parent has gone") from e
