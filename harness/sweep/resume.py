"""Goes on with a stopped sweep: its manifest knows the command, so `--resume DIR` needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.runs.manifest import MANIFEST
from harness.runs.store import Store

SEVERAL = "several.json"  # of a sweep on several testbeds, which has a run a testbed in folders of their own
_OF_A_START = ("--out", "--resume")


def whole_command(argv: Sequence[str]) -> list[str]:
    """Return the command line with what a run that is gone on with was started by; others as they are.

    Options that are given beside `--resume` come last, so they win where the run allows it (`--jobs`).

    Raises:
        BenchError: the folder holds no run, or one of another axis.
    """
    folder = _resumed(argv)
    if folder is None:
        return list(argv)
    stored, given = _stored(folder), without(argv, _OF_A_START)
    if given and not given[0].startswith("-"):
        if stored and given[0] != stored[0]:
            raise BenchError(
                f"{folder} holds a sweep of '{stored[0]}', not of '{given[0]}'",
                cure=f"go on with it by: {command(folder)}",
            )
        given = given[1:]
    return [*without(stored, _OF_A_START), *given, "--resume", str(folder)]


def command(folder: Path) -> str:
    """Return the command that goes on with the run in `folder`."""
    return f"python -m harness.sweep --resume {folder}"


def without(argv: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return `argv` less some options that take a value."""
    out, skip = [], False
    for word in argv:
        if skip:
            skip = False
        elif word in options:
            skip = True
        elif not word.startswith(tuple(f"{option}=" for option in options)):
            out.append(word)
    return out


def _resumed(argv: Sequence[str]) -> Path | None:
    for i, word in enumerate(argv):
        if word == "--resume" and i + 1 < len(argv):
            return Path(argv[i + 1])
        if word.startswith("--resume="):
            return Path(word.partition("=")[2])
    return None


def _stored(folder: Path) -> list[str]:
    """Return the words of the command that started the run or runs in `folder`."""
    if (folder / MANIFEST).is_file() or not folder.is_dir():
        facts = Store.reopen(folder).facts()
        if facts.kind != "sweep":
            raise BenchError(f"{folder} holds no sweep", cure="give the folder of one")
        return _words(facts.argv)
    try:
        if (folder / SEVERAL).exists():  # an older bench wrote it at the end: where it was stopped, its runs know it
            return [str(word) for word in reading.json_of(folder / SEVERAL, "move it away")["command"]]
    except (KeyError, TypeError) as e:
        raise BenchError(f"{folder / SEVERAL} can't be read ({e})", cure="move it away: its runs know the rest") from e
    runs = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    if not runs:
        raise BenchError(f"{folder} holds no run", cure="give the folder of a run")
    words = without(_words(Store.reopen(runs[0]).facts().argv), ("--testbed", *_OF_A_START))
    return [*words, "--testbed", ",".join(run.name for run in runs)]


def _words(argv: Sequence[str]) -> list[str]:
    """Return a manifest's command less `python -m MODULE`."""
    return list(argv[3:] if argv[1:2] == ["-m"] else argv)
