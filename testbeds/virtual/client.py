"""Serves the parent's side: starts an emulator process and talks to it over the control channel."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from harness.contracts import exits
from harness.contracts.errors import BenchError, BenchFailed, SampleFailed

START_S = 60.0  # includes compiling the cycle model at first use
STOP_S = 3.0


class Emulator:
    """Holds one emulator process with an image in its flash.

    Raises:
        BenchError: the image can't be loaded, or the emulator does not start.
    """

    def __init__(self, image: Path, options: tuple[str, ...] = (), command_s: float = 30.0) -> None:
        self._lock = threading.Lock()
        self._command_s = command_s
        self._number = 0
        self._buffer = bytearray()
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        command = [sys.executable, "-m", "testbeds.virtual", "run", str(image)]
        command += ["--control-fd", str(theirs.fileno()), *options]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *_python_path()])}
        try:
            self._process = subprocess.Popen(
                command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=self._errors, env=environment, start_new_session=True,
            )  # fmt: skip
        finally:
            theirs.close()
        try:
            hello = self._read_line(START_S, "start")
        except BaseException:
            self.close()
            raise
        if not hello.get("ready"):
            self.close()
            raise BenchError(hello.get("error", "the emulator did not start"), cure=hello.get("cure", ""))
        self.pty: str = hello["pty"]
        self.pid: int = hello["pid"]

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        """Send one command and return its answer.

        Raises:
            BenchFailed: the emulator is dead, or is silent and was ended.
            SampleFailed: the emulator refuses.
        """
        with self._lock:
            self._number += 1
            line = json.dumps({"id": self._number, "do": what} | arguments).encode() + b"\n"
            try:
                self._socket.sendall(line)
            except OSError as e:
                raise self._ended() from e
            answer = self._read_line(self._command_s, what)
            while answer.get("id") not in (self._number, None):  # it answers a command that was waited for in vain
                answer = self._read_line(self._command_s, what)
        if not answer.get("ok"):
            raise SampleFailed(f"the emulated board refuses {what!r}: {answer.get('error')}")
        return answer

    def _read_line(self, seconds: float, what: str) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while (end := self._buffer.find(b"\n")) < 0:
            left = deadline - time.monotonic()
            if left <= 0:
                self._process.kill()  # what is late is not to be mistaken for the answer to a later command
                raise BenchFailed(f"the emulator did not answer {what!r} within {seconds:g} s")
            if select.select([self._socket], [], [], left)[0]:
                try:
                    data = self._socket.recv(1 << 16)
                except OSError as e:
                    raise self._ended() from e
                if not data:
                    raise self._ended()
                self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        answer: dict[str, Any] = json.loads(line)
        return answer

    def check(self) -> None:
        """Check that the process lives. Raises BenchFailed when it is gone."""
        if not self.alive:
            raise self._ended()

    def _ended(self) -> BenchFailed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        code = self._process.poll()
        return BenchFailed(f"the emulator {'has gone silent' if code is None else exits.how(code)}{self._last_words()}")

    def _last_words(self) -> str:
        if self._errors.closed:
            return ""
        self._errors.seek(0)
        lines = self._errors.read()[-4000:].decode(errors="replace").strip().splitlines()
        return f" ({lines[-1]})" if lines else ""

    def close(self) -> None:
        """End the process. It is safe to call this twice."""
        with contextlib.suppress(OSError):
            self._socket.sendall(b'{"do": "quit"}\n')
        self._socket.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


def _python_path() -> list[str]:
    return [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
