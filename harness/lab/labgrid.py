"""Gets ports out of a labgrid place (https://labgrid.readthedocs.io), so that a lab's own reservations are kept.

`labgrid-client` is called as a program: `acquire`, `show`, `release`. An exporter on the board's machine gives the
serial port as a NetworkSerialPort (RFC 2217 or raw). Tried by hand with coordinator and exporter of labgrid 26.0.1 on
one machine, without a board; the tests have a stand-in that takes the same arguments and says the same.
"""

from __future__ import annotations

import ast
import atexit
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from harness.contracts.errors import BenchError
from testbeds.tools import ToolRun, Tools

log = logging.getLogger(__name__)

PROGRAM = "labgrid-client"
_ANSWER_S = 30.0
_OURS = "You have already acquired place"
_RESOURCE = re.compile(r"'(NetworkSerialPort|RawSerialPort|USBSerialPort)'")


@contextmanager
def acquired(place: str, tools: Tools | None = None) -> Iterator[str]:
    """Acquire a place for the duration of the block, and give the URL of its serial port.

    Raises:
        BenchError: no labgrid, no such place, somebody has it, or it has no serial port.
    """
    caller = tools or Tools()
    if shutil.which(PROGRAM) is None:
        raise BenchError(f"place '{place}' needs {PROGRAM}, which is not installed", cure="pip install labgrid")
    taken = caller.run([PROGRAM, "-p", place, "acquire"], timeout_s=_ANSWER_S)
    ours_before = taken.returncode != 0 and _OURS in taken.output  # acquired by hand: it stays so afterwards
    if not ours_before:
        _told(taken, place, "acquired")
    try:
        shown = _told(caller.run([PROGRAM, "-p", place, "show"], timeout_s=_ANSWER_S), place, "shown")
        yield port_url(shown.output, place)
    finally:
        if not ours_before:
            _release(caller, place)


def _release(caller: Tools, place: str) -> None:
    done = caller.run([PROGRAM, "-p", place, "release"], timeout_s=_ANSWER_S)
    if done.returncode != 0:
        log.warning("labgrid place %s could not be released: %s", place, done.last_line)


def held(place: str) -> str:
    """Return the port of a place that this process keeps until it ends; it is acquired at the first call. Raises as
    `acquired`.
    """
    if place not in _held:
        stack = ExitStack()
        _held[place] = stack.enter_context(acquired(place))
        atexit.register(stack.close)
    return _held[place]


_held: dict[str, str] = {}


def port_url(shown: str, place: str) -> str:
    """Return the serial port's URL out of what `labgrid-client show` says of an acquired place.

    Raises:
        BenchError: there is none in it.
    """
    for params in _serial_parameters(shown):
        host, port = params.get("host"), params.get("port")
        if isinstance(host, str) and re.fullmatch(r"[A-Za-z0-9._:-]{1,253}", host) and isinstance(port, int):
            kind = "socket" if params.get("protocol") == "raw" else "rfc2217"
            return f"{kind}://{host}:{port}"
        if isinstance(port, str) and port.startswith("/dev/"):
            return port  # exported by this very machine
    raise BenchError(
        f"labgrid place '{place}' has no serial port that can be reached",
        cure=f"add a NetworkSerialPort to it: {PROGRAM} -p {place} add-match …",
    )


def _serial_parameters(shown: str) -> Iterator[dict[str, Any]]:
    """Yield the `params` of every serial resource: a Python dictionary printed over one or more lines."""
    for at in (m.start() for m in re.finditer(r"\{", shown)):
        depth, end = 0, None
        for i in range(at, min(len(shown), at + 5000)):
            depth += {"{": 1, "}": -1}.get(shown[i], 0)
            if depth == 0:
                end = i + 1
                break
        if end is None:
            return
        try:
            found = ast.literal_eval(shown[at:end])
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, dict) and _RESOURCE.search(repr(found.get("cls"))):
            params = found.get("params")
            if isinstance(params, dict):
                yield params


def _told(done: ToolRun, place: str, what: str) -> ToolRun:
    if done.returncode != 0:
        why = "it took too long" if done.returncode is None else done.last_line
        raise BenchError(
            f"labgrid place '{place}' can't be {what}: {why[:200]}",
            cure=f"see {PROGRAM} -p {place} show, and who has it",
        )
    return done
