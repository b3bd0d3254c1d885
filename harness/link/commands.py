"""Calls `tc` and `ip` at one seam: each call leaves a record (argv, return code, duration) and says why it failed."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.contracts import reading
from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)

_SBIN = "/usr/sbin:/sbin"  # where ordinary users do not look
_LIMIT_S = 20.0

Run = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]


def run_tool(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a tool of iproute2 by its own path (busybox may shadow it).

    Raises:
        BenchError: it is not installed, or does not end.
    """
    program = shutil.which(argv[0], path=f"{_SBIN}:{os.environ.get('PATH', '')}")
    if program is None:
        raise BenchError(f"'{argv[0]}' is not installed", cure="install iproute2")
    try:
        return subprocess.run(
            [program, *argv[1:]],
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as e:
        raise BenchError(f"'{' '.join(argv)}' did not end within {_LIMIT_S:g} s") from e
    except OSError as e:
        raise BenchError(f"'{argv[0]}' can't be run ({e.strerror})", cure="install iproute2") from e


@dataclass(frozen=True)
class Call:
    """Records one call as it went."""

    argv: tuple[str, ...]
    code: int
    ms: float
    said: str


@dataclass
class Commands:
    """Runs commands and keeps what was run."""

    run: Run = run_tool
    calls: list[Call] = field(default_factory=list)

    def do(self, *argv: str) -> str:
        """Run a command and return its output.

        Raises:
            BenchError: it failed, with its own words.
        """
        call, out = self._call(argv)
        if call.code:
            raise BenchError(f"'{' '.join(argv)}' failed: {call.said or f'code {call.code}'}", cure=_cure(call.said))
        return out

    def attempt(self, *argv: str) -> bool:
        """Run a command, and say whether it succeeded."""
        return self._call(argv)[0].code == 0

    def ask(self, *argv: str) -> list[dict[str, Any]]:
        """Return the JSON that a command with -j says; empty for an empty answer. Raises as `do`."""
        out = self.do(*argv)
        try:
            found = reading.parsed_json(out or "[]")
        except ValueError as e:
            raise BenchError(f"'{' '.join(argv)}' did not answer in JSON", cure="update iproute2") from e
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def _call(self, argv: Sequence[str]) -> tuple[Call, str]:
        began = time.monotonic()
        done = self.run(argv)
        said = " ".join(done.stderr.split())
        call = Call(tuple(argv), done.returncode, (time.monotonic() - began) * 1e3, said)
        log.debug("%s -> %d in %.1f ms %s", " ".join(argv), call.code, call.ms, said)
        self.calls.append(call)
        return call, done.stdout


def _cure(said: str) -> str:
    if "not permitted" in said:
        return "run as root"
    if "qdisc kind is unknown" in said:
        return NETEM_CURE
    if "Cannot find device" in said:
        return "check interface in [link] of lab.toml; `ip link` lists them"
    return ""


NETEM_CURE = 'load it (modprobe sch_netem), or set kind = "userspace" or "proxy" in [link] of lab.toml'
