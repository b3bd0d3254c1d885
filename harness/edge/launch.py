"""Runs the edge server as a process of the bench: started, waited for, watched, stopped."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.broker.mqtt import BrokerAddress
from harness.contracts import exits, scratch
from harness.contracts.errors import BenchError
from harness.edge import tag
from harness.host import last_words
from harness.host.processes import inherited_path

log = logging.getLogger(__name__)

_MOST_SAID = 64_000  # characters of the end of what it said that are looked through
_READY_S = 900.0  # its imports alone took over 3 minutes on a machine with six times its load


@dataclass(frozen=True)
class Calibrated:
    """Holds one remote half that the edge serves, with the service time it measured while warming up."""

    scheme: str
    weights: str  # 8 hex digits of the u32
    service_us: float


class Edge:
    """Holds an edge server that was started; it is ready once `calibrated` has returned."""

    def __init__(self, process: subprocess.Popen[str], said: IO[bytes]) -> None:
        self._process = process
        self._said = said
        self._calibrated: list[Calibrated] | None = None

    def calibrated(self) -> list[Calibrated]:
        """Have it take its service times now, and wait until it is subscribed; return what it serves and how long that
        takes.

        Call it when nothing else keeps the machine busy: the times may be pinned.

        Raises:
            BenchError: it could not start, with its own reason.
        """
        if self._calibrated is None:
            self._calibrated = _ready(self._process, self._said)
        return self._calibrated

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def check(self) -> None:
        """Check that it is alive.

        Raises:
            BenchError: it is not, with its last words.
        """
        if (code := self._process.poll()) is not None:
            raise _died(code, self._said)


@contextmanager
def running(artefacts: Sequence[Path], address: BrokerAddress, root: str, key: str = "") -> Iterator[Edge]:
    """Run an edge server for the duration of the block. It warms up meanwhile: ask `calibrated` before using it."""
    options = ["--with-parent", "--broker", str(address), "--user", address.user, "--root", root]
    options += ["--ca", str(address.ca)] if address.ca else []
    # It has a temporary folder of its own, as it is not always given the time to tidy up.
    with tempfile.TemporaryFile() as said, scratch.folder("edge") as own_folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.edge", *options, *map(str, artefacts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,  # Ctrl-C is for the bench, which then closes our stdin
            env=os.environ
            | {"AGILENN_MQTT_PASSWORD": address.password, tag.KEY_VARIABLE: key}
            | {"PYTHONPATH": inherited_path(), "TMPDIR": str(own_folder)},
        )
        try:
            yield Edge(process, said)
        finally:
            _stop(process)


def _ready(process: subprocess.Popen[str], said: IO[bytes], most_s: float = _READY_S) -> list[Calibrated]:
    if process.stdout is None or process.stdin is None:
        raise BenchError("the edge server's process has no pipes")
    with contextlib.suppress(BrokenPipeError):  # it died: that is told below
        process.stdin.write("calibrate\n")
        process.stdin.flush()
    given_up = threading.Event()

    def give_up() -> None:
        given_up.set()
        process.kill()

    guard = threading.Timer(most_s, give_up)
    guard.daemon = True
    guard.start()
    try:
        line = process.stdout.readline()
    finally:
        guard.cancel()
    if not line and given_up.is_set():
        raise BenchError(
            f"the edge server was not ready after {most_s:g} s", cure="try again when this machine has less to do"
        )
    if not line:
        raise _died(process.wait(), said)
    return [Calibrated(**one) for one in json.loads(line)["ready"]]


def _died(code: int, said: IO[bytes]) -> BenchError:
    said.seek(0)
    words = last_words.of(said.read()[-_MOST_SAID:].decode("utf-8", "replace"))
    return BenchError(
        f"the edge server {exits.how(code)}{f': {words}' if words else ' and did not say why'}",
        cure="see that the machine has memory to spare" if code == -signal.SIGKILL else "mend what it says",
    )


def _stop(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()
    try:
        process.wait(4)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
