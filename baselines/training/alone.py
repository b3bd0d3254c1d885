"""Lets one process at a time train what several share: a second one waits, and then finds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from harness.contracts.errors import BenchError


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only process of this machine that trains into `folder`, for the duration of the block.

    The kernel holds the lock, so that a killed training leaves none.

    Raises:
        BenchError: the lock can't be made there.
    """
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as e:
        raise BenchError(f"{lock.lock_file} can't be made ({e.strerror})", cure="set AGILENN_CACHE_DIR") from e
    try:
        yield
    finally:
        lock.release()
