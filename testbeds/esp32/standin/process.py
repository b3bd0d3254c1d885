"""Runs the stand-in as a process: starts it, tells it what to do, and ends it with whoever started it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from typing import Any

from harness.contracts.errors import BenchError

_ANSWER_S = 30.0


class StandInProcess:
    """Holds a stand-in of one's own. Closing its input ends it, so it never outlives its owner.

    Raises:
        BenchError: it does not start.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        paths = os.pathsep.join(p for p in sys.path if p)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "testbeds.esp32.standin", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the bench, which then closes our stdin
            env=os.environ | {"PYTHONPATH": paths},
        )
        said = self._answer()
        self.path: str = said["pty"]
        self.url: str = said["url"]

    def tell(self, command: str) -> dict[str, Any]:
        """Give one command (`testbeds.esp32.standin.board.COMMANDS`) and return its answer.

        Raises:
            BenchError: the command is unknown, or the stand-in has ended.
        """
        with self._lock:
            try:
                if self._process.stdin is not None:
                    self._process.stdin.write(command.encode() + b"\n")
                    self._process.stdin.flush()
            except OSError as e:
                raise self._ended() from e
            said = self._answer()
        if not said.get("ok"):
            raise BenchError(f"the ESP32 stand-in refuses: {said.get('error')}")
        return said

    def close(self) -> None:
        """End the process and wait for it. It is safe to call this twice."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self) -> dict[str, Any]:
        out = self._process.stdout
        if out is None or out.closed or not select.select([out], [], [], _ANSWER_S)[0]:
            raise BenchError("the ESP32 stand-in does not answer", cure="end it and try again")
        line = out.readline()
        if not line:
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ended(self) -> BenchError:
        return BenchError("the ESP32 stand-in has ended", cure="see what it said above, and try again")
