"""`python -m harness COMMAND [OPTIONS]`: run every way in by its name."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from harness.commands import FOLDER, commands
from harness.contracts.errors import BenchError
from harness.host.cli import console, way_in


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code (2 where there is no such command)."""
    return way_in(_main, argv)


def _main(argv: list[str]) -> int:
    if argv and argv[0] in ("-V", "--version"):
        console().print(f"agilenn-bench {_version()}")
        return 0
    if not argv or argv[0] in ("-h", "--help"):
        _overview()
        return 0 if argv else 2
    name = argv[0]
    if name not in commands():
        raise BenchError(f"'{name}' is no command", cure=f"one of {', '.join(commands())}")
    module = import_module(f"harness.commands.{name}")
    sys.argv = [f"harness {name}", *argv[1:]]
    return int(module.main(argv[1:]))


def _version() -> str:
    try:
        return version("agilenn-bench")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "(not installed)"


def _overview() -> None:
    out = console()
    out.print("python -m harness COMMAND [OPTIONS]; each takes --help\n")
    for name in commands():
        said = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))) or ""
        _, _, what = said.splitlines()[0].partition(": ")
        out.print(f"  {name:<10} {what or said.splitlines()[0]}")


if __name__ == "__main__":
    sys.exit(main())
