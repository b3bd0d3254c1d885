"""Serves the control channel: JSON lines over a Unix socket between the emulator and the process that started it.

The command `{"id": 1, "do": "link", "spec": {...}}` is answered by `{"id": 1, "ok": true, ...}` or by
`{"id": 1, "ok": false, "error": "..."}`. Commands that change the guest wait until it stands at a block boundary; while
it waits for the broker they are refused.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.contracts.problems import first_problem
from testbeds.timebase import MILLISECOND
from testbeds.virtual.board import Board, Shutdown

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 1 << 20


class ControlServer:
    """Answers commands. `handle` is given to the Board."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._buffer = bytearray()

    def handle(self, board: Board, data: bytes) -> None:
        """Take bytes from the parent."""
        self._buffer += data
        if len(self._buffer) > MAX_LINE_BYTES:
            raise Shutdown("a control line is too long")
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._answer(board, line)

    def _answer(self, board: Board, line: bytes) -> None:
        number: Any = None
        try:
            command = json.loads(line)
            number = command.get("id")
            answer = {"ok": True} | self._do(board, str(command.get("do")), command)
        except Shutdown:
            self._write({"id": number, "ok": True})
            raise
        except ValidationError as e:
            answer = {"ok": False, "error": first_problem(e)[0]}
        except (BenchError, ValueError, KeyError, TypeError, AttributeError) as e:
            answer = {"ok": False, "error": str(e) or type(e).__name__}
        self._write({"id": number} | answer)

    def _write(self, answer: dict[str, Any]) -> None:
        try:
            self._send(json.dumps(answer).encode() + b"\n")
        except OSError as e:
            raise Shutdown("the parent has gone") from e

    def _do(self, board: Board, what: str, command: dict[str, Any]) -> dict[str, Any]:
        if what in ("snapshot", "restore", "reset") and board.in_guest:
            raise BenchError("the guest is in the middle of a block", cure="wait until it idles")
        if what == "restore" and not board.has_snapshot:
            raise BenchError("there is no snapshot", cure="take one first")
        match what:
            case "status":
                return status(board)
            case "log":
                return {"log": board.read_log()}
            case "dialogue":
                return {"lines": board.wifi.module.dialogue.take()}
            case "clear":
                board.clear_log()
            case "link":
                spec = command.get("spec")
                board.link.apply(None if spec is None else LinkSpec.model_validate(spec))
            case "seed":
                board.link.seed = int(command["value"])
                board.link.reset()
            case "remote_ms":
                value = command.get("value")
                board.wifi.remote_ms = None if value is None else max(0.0, float(value))
            case "watchdog_s":
                board.wifi.watchdog_s = float(command["value"])
            case "snapshot":
                board.snapshot()
            case "restore":
                board.restore()
            case "reset":
                board.reset(module_stays=command.get("module") == "on")
            case "module":
                board.wifi.trouble({k: v for k, v in command.items() if k not in ("id", "do")})
            case "quit":
                raise Shutdown("asked to stop")
            case _:
                raise BenchError(f"unknown control command {what!r}")
        return {}


def status(board: Board) -> dict[str, Any]:
    """Return how the board stands (JSON-able)."""
    return {
        "now_ms": board.machine.time.now_t / MILLISECOND,
        "clock_hz": board.machine.time.hz,
        "parked": board.parked,
        "fault": None if board.fault is None else board.fault.record.lines(),
        "failure": board.wifi.log.failure,
        "unmodelled": board.machine.bus.report(),
        "console_lost": board.machine.usarts[1].lost,
        "notes": board.notes(),
    }
