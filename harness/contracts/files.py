"""Writes files that are whole or not there: they are written beside their place, then moved into it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.contracts.errors import BenchError


@contextlib.contextmanager
def replacing(path: Path, option: str) -> Iterator[IO[bytes]]:
    """Give a file to write that takes the place of `path` when the block ends well, and leaves no trace otherwise.

    Args:
        option: the command line option with which the user can choose another folder.

    Raises:
        BenchError: the folder or file can't be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as f:
            yield f
        part.replace(path)
    except OSError as e:
        raise BenchError(f"can't write {path} ({e.strerror})", cure=f"give another folder with {option}") from e
    finally:
        with contextlib.suppress(OSError):  # moved, or never made: nothing is left to take away
            part.unlink()
