"""Holds the ways in: one command a file, each a thin `main(argv) -> int` over the rooms below."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def commands() -> list[str]:
    """Return the names of the commands, in alphabetical order: the files of `harness/commands` that are ways in."""
    return sorted(
        p.stem
        for p in FOLDER.glob("*.py")
        if p.stem != "__init__" and not p.stem.startswith("trained_") and not p.stem.endswith("_options")
    )
