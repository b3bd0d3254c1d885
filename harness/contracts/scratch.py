"""Makes temporary folders that a killed run does not leave for ever: the next start finds those whose owner is gone.

Each folder holds a lock file that its owner keeps locked by flock(2); the kernel lets go of it when the owner ends,
however it ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

PREFIX = "agilenn-"
_LOCK = ".held"


class Scratch:
    """Holds a temporary folder of this process, locked; `close` removes it."""

    def __init__(self, purpose: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-"))  # 0700
        part = self.path / f"{_LOCK}.part"  # it has its name only once it is locked, so that nobody takes it for free
        self._number = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._number, fcntl.LOCK_EX)
        part.rename(self.path / _LOCK)

    def close(self) -> None:
        """Remove it. Safe to call twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)


@contextmanager
def folder(purpose: str) -> Iterator[Path]:
    """Make a folder for the duration of the block."""
    made = Scratch(purpose)
    try:
        yield made.path
    finally:
        made.close()


def sweep() -> list[Path]:
    """Remove the folders of this user whose owners are gone, and return them. Those without a lock file stay."""
    found = []
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*")):
        if _abandoned(path):
            shutil.rmtree(path, ignore_errors=True)
            log.info("removed %s, which a killed run left", path)
            found.append(path)
    return found


def _abandoned(path: Path) -> bool:
    try:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return False
        number = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(number)
