"""Lets one run at a time have a board: by a lock that the kernel holds, so that a killed run leaves none, and a note of
who has it.

The lock is flock(2) on a file named by the board's identity in one folder for all users of the machine
($AGILENN_LOCK_DIR, else agilenn-bench-locks in the folder for temporary files). The note in that file is for people: it
is only believed while the kernel says that the lock is held.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import hashlib
import json
import os
import re
import shlex
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.contracts.errors import BenchError

VARIABLE = "AGILENN_LOCK_DIR"
_MOST_BYTES = 4096


@dataclass(frozen=True)
class Holder:
    """Says who has a board."""

    user: str
    pid: int
    host: str
    command: str
    since: str

    def __str__(self) -> str:
        return f"{self.user}, pid {self.pid} on {self.host}, since {self.since}: {self.command}"


class BoardBusy(BenchError):
    """Says that another run has the board."""


class BoardLock:
    """Holds a lock; `release` gives it back, and so does the end of this process, however it comes."""

    def __init__(self, number: int) -> None:
        self._number: int | None = number

    def release(self) -> None:
        """Give the lock back. It is safe to call this twice."""
        if self._number is not None:
            number, self._number = self._number, None
            with contextlib.suppress(OSError):
                os.ftruncate(number, 0)
                fcntl.flock(number, fcntl.LOCK_UN)  # not by close alone: a child may stand between fork and exec
            os.close(number)


def take(identity: str) -> BoardLock:
    """Take the lock of the board called `identity`; this never waits.

    Raises:
        BoardBusy: somebody has it, and who.
        BenchError: lock files can't be made here.
    """
    path = _path(identity)
    try:
        number = _open(path)
    except OSError as e:
        raise BenchError(
            f"the lock {path} can't be opened ({e.strerror})",
            cure=f"set {VARIABLE} to a folder that all its users share",
        ) from e
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held = _read(number)
        os.close(number)
        raise BoardBusy(
            f"the board {identity} is in use by {held or 'a run that left no note'}",
            cure="wait for its end, or stop it",
        ) from None
    try:
        os.ftruncate(number, 0)
        os.pwrite(number, json.dumps(asdict(_self())).encode()[:_MOST_BYTES], 0)
    except OSError as e:
        os.close(number)
        raise BenchError(f"the lock {path} can't be written ({e.strerror})", cure="free space there") from e
    return BoardLock(number)


@contextmanager
def held(identity: str) -> Iterator[None]:
    """Hold the lock for the duration of the block; there is nothing to hold for identity "". Raises as `take`."""
    lock = take(identity) if identity else None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def holder(identity: str) -> Holder | None:
    """Return who has the board now; None when nobody does. Raises BenchError when lock files can't be opened."""
    try:
        take(identity).release()
    except BoardBusy:
        try:
            number = os.open(_path(identity), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            return _read(number) or Holder("?", 0, "?", "?", "?")
        finally:
            os.close(number)
    return None


def folder() -> Path:
    """Return where lock files are."""
    return Path(os.environ.get(VARIABLE) or Path(tempfile.gettempdir()) / "agilenn-bench-locks")


def _path(identity: str) -> Path:
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", identity).strip("-.")[:60]
    return folder() / f"{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}.lock"


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True)
        path.parent.chmod(0o1777)  # as /tmp: every user of the lab makes files, nobody removes another's
    except FileExistsError:
        pass
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        # Without O_CREAT first: the kernel refuses it on another user's file in a sticky folder (fs.protected_regular).
        return os.open(path, flags)
    except FileNotFoundError:
        number = os.open(path, flags | os.O_CREAT, 0o666)
        with contextlib.suppress(OSError):
            os.fchmod(number, 0o666)  # whatever the umask: the next user must be able to open it
        return number


def _self() -> Holder:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for the user
        user = str(os.getuid())
    program = f"python -m {module}" if (module := _module()) else sys.argv[0]
    # Options of the ways in hold no secrets: those come by environment or key file.
    command = f"{program} {shlex.join(sys.argv[1:])}".strip()
    return Holder(
        user, os.getpid(), socket.gethostname(), command[:300], datetime.now(UTC).isoformat(timespec="seconds")
    )


def _module() -> str:
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return str(spec.name).removesuffix(".__main__") if spec else ""


def _read(number: int) -> Holder | None:
    try:
        said = json.loads(os.pread(number, _MOST_BYTES, 0))
        return Holder(str(said["user"]), int(said["pid"]), str(said["host"]), str(said["command"]), str(said["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
