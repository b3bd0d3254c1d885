"""Calls other people's programs (flashers, debuggers) in one way, and keeps what is needed to call them again."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.contracts.clock import Clock, HostClock
from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir

log = logging.getLogger(__name__)

RECORD = "tools.jsonl"
_MOST_OUTPUT = 20_000  # characters that are kept from the end of a tool's output
_MOST_RECORD_BYTES = 1 << 20
_LEAVE_S = 3.0


@dataclass(frozen=True)
class ToolRun:
    """Records one call: where, what, its time limit, and what came of it. `returncode` is None if it took too long."""

    cwd: str
    argv: tuple[str, ...]
    timeout_s: float
    returncode: int | None
    duration_s: float
    output: str

    @property
    def command(self) -> str:
        """Return the same call as a shell command."""
        return f"cd {shlex.quote(self.cwd)} && timeout {self.timeout_s:g} {shlex.join(self.argv)}"

    @property
    def account(self) -> str:
        """Return the call, how it ended and after how long, and what it said."""
        ended = "took too long" if self.returncode is None else f"exit code {self.returncode}"
        return f"{shlex.join(self.argv)}: {ended} after {self.duration_s:.3f} s\n{self.output}".rstrip()

    @property
    def last_line(self) -> str:
        """Return the last line that it said."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"


class Tools:
    """Calls programs and remembers the last calls; every call is also a line of `<cache>/tools.jsonl`.

    Args:
        told: a function that is told of every call when it has ended.
    """

    def __init__(
        self, clock: Clock | None = None, record: Path | None = None, told: Callable[[ToolRun], None] | None = None
    ) -> None:
        self.runs: deque[ToolRun] = deque(maxlen=50)
        self._clock = clock or HostClock()
        self._record = record
        self._told = told

    @property
    def record(self) -> Path:
        """Return the file in which calls are written down."""
        return self._record or cache_dir() / RECORD

    def run(self, argv: Sequence[str], *, timeout_s: float, environment: Mapping[str, str] | None = None) -> ToolRun:
        """Call `argv`, stdout and stderr together, and return the call. After `timeout_s` it ends with its children.

        Raises:
            BenchError: it can't be started.
        """
        begin_ms = self._clock.now_ms()
        with tempfile.TemporaryFile() as said:
            try:
                process = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is for us, who then end it and its children
                    env=None if environment is None else {**os.environ, **environment},
                )
            except OSError as e:
                raise BenchError(f"{argv[0]} can't be started ({e.strerror})", cure="install it, or mend PATH") from e
            code: int | None
            try:
                code = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end(process)
            said.seek(0)
            output = said.read()[-4 * _MOST_OUTPUT :].decode("utf-8", "replace")[-_MOST_OUTPUT:]
        duration_s = round((self._clock.now_ms() - begin_ms) / 1e3, 3)
        one = ToolRun(str(Path.cwd()), tuple(argv), timeout_s, code, duration_s, output)
        self._keep(one)
        return one

    def _keep(self, one: ToolRun) -> None:
        self.runs.append(one)
        if self._told is not None:
            self._told(one)
        log.debug("%s: %s after %.2f s\n%s", one.command, one.returncode, one.duration_s, one.output)
        path = self.record
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > _MOST_RECORD_BYTES:
                path.replace(path.with_suffix(".old.jsonl"))
            with path.open("a", encoding="utf-8") as f:
                f.write(json.dumps(asdict(one)) + "\n")
        except OSError as e:  # a record that can't be written must not stop a measurement
            log.warning("%s can't be written (%s)", path, e.strerror)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE_S)
            return
