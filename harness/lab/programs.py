"""Calls the lab's own programs (hooks, switches of supplies) as lists of words; no shell is between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from harness.contracts.errors import BenchError
from harness.runs.provenance import scrubbed
from testbeds.tools import ToolRun, Tools


def _words(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError('must be a list of words such as ["program", "argument"]: no shell is called')
    return value


_Word = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]
Argv = Annotated[tuple[_Word, ...], BeforeValidator(_words), Field(min_length=1, max_length=200)]


def account(run: ToolRun) -> str:
    """Return what a log tells of a call: a password or token among its words is masked."""
    return replace(run, argv=tuple(scrubbed(run.argv))).account


def call(
    tools: Tools, argv: Argv, what: str, *, timeout_s: float, environment: Mapping[str, str] | None = None
) -> None:
    """Call a program and wait for its end.

    Args:
        what: how an error speaks of it, such as "the hook before the run".

    Raises:
        BenchError: it can't be started, takes longer than `timeout_s`, or ends with another code than 0.
    """
    try:
        done = tools.run(argv, timeout_s=timeout_s, environment=environment)
    except BenchError as e:
        raise BenchError(f"{what} failed: {e.what}", cure=e.cure) from e
    if done.returncode != 0:
        ended = f"took longer than {timeout_s:g} s" if done.returncode is None else f"ended with {done.returncode}"
        raise BenchError(
            f"{what} failed: {argv[0]} {ended} ({done.last_line[:200]})",
            cure=f"mend it in lab.toml (the call is in {tools.record})",
        )
