"""Keeps a log of everything that passes between host and board: `logs/<board>.log` of a run, live on stderr with -vv.

It is bounded: the first MOST_BYTES of a board are kept in `<board>.log` (its bring-up, and all of a short run), what
comes later in `<board>.later.log`, which is begun anew when it is full while the one before is kept as
`<board>.later.1.log`. A log never stops a measurement: one that can't be written is told of once, and given up.
"""

from __future__ import annotations

import logging
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

from harness.contracts.paths import cache_dir
from harness.contracts.testbed import Testbed

log = logging.getLogger(__name__)

FOLDER = "logs"
MOST_BYTES = 1 << 20  # of each of a board's three files
_MOST_WAITING = 5000  # lines kept while the run has no folder yet
_MOST_CHARACTERS = 4000  # of one entry, its end
_MASK = "***"


class BoundedFile:
    """Appends to `<stem>.log` until it is full, then to a pair of files that take turns."""

    def __init__(self, stem: Path, most_bytes: int = MOST_BYTES) -> None:
        self._stem = stem
        self._most = most_bytes
        stem.parent.mkdir(parents=True, exist_ok=True)
        self._path = self._named(".log")
        if self._size(self._path) >= most_bytes or self._named(".later.log").exists():  # of a run that goes on
            self._path = self._named(".later.log")
        self._file = self._path.open("ab", buffering=0)
        self._bytes = self._size(self._path)

    def write(self, line: bytes) -> None:
        """Append a line. Raises OSError."""
        if self._bytes and self._bytes + len(line) > self._most:
            self._file.close()
            later = self._named(".later.log")
            if self._path == later:
                later.replace(self._named(".later.1.log"))
            self._path, self._bytes = later, 0
            self._file = later.open("ab", buffering=0)
        self._file.write(line)
        self._bytes += len(line)

    def close(self) -> None:
        """Close the file. It is safe to call this twice."""
        self._file.close()

    def _named(self, end: str) -> Path:
        return self._stem.with_name(self._stem.name + end)

    @staticmethod
    def _size(path: Path) -> int:
        return path.stat().st_size if path.exists() else 0


class BoardLog:
    """Holds the log of one board.

    Args:
        name: of the board, and of its file.
        folder: of the run; the file is begun when the folder is there. Without one, or when it never comes to be, the
            log is `logs/<name>.log` in the bench's cache folder. `live` has no file at all.
    """

    def __init__(self, name: str, folder: Path | None = None, *, live: bool = False) -> None:
        self.name = name
        self._folder = folder
        self._live = live
        self._file: BoundedFile | None = None
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._secrets: list[str] = []

    def hide(self, *secrets: str) -> None:
        """Mask these in every line from now on.

        They are masked also as an AT command escapes them, and as bytes beyond ASCII are shown.
        """
        forms = {form for secret in secrets if secret for form in (secret, _escaped(secret))}
        forms |= {form.encode().decode("ascii", "backslashreplace") for form in forms}
        self._secrets = sorted(forms | set(self._secrets), key=len, reverse=True)

    def note(self, kind: str, text: str) -> None:
        """Add a line; a text of several is indented below it."""
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        if len(text) > _MOST_CHARACTERS:
            first, _, rest = text.partition("\n")
            text = f"{first[:_MOST_CHARACTERS]}\n[…]{rest[-_MOST_CHARACTERS:]}" if rest else text[:_MOST_CHARACTERS]
        text = "\n    ".join(text.splitlines())
        log.debug("%s %s %s", self.name, kind, text)
        if self._live:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._waiting.append(f"{now} {kind:<6} {text}\n".encode("utf-8", "backslashreplace"))
        if self._folder is not None and (self._file is not None or self._folder.is_dir()):
            self._write(self._folder)

    def close(self) -> None:
        """Write what is left, and close the file. It is safe to call this twice, and to go on afterwards."""
        if self._waiting:
            self._write(self._folder if self._folder and self._folder.is_dir() else cache_dir())
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, folder: Path) -> None:
        try:
            if self._file is None:
                self._file = BoundedFile(folder / FOLDER / self.name)
            while self._waiting:
                self._file.write(self._waiting.popleft())
        except OSError as e:
            log.warning("the log of board %s can't be written (%s): it ends here", self.name, e.strerror)
            self._live = True
            self._waiting.clear()


class Logs:
    """Makes the logs of a run's boards; `folder` = the run's, which may come to be later, or None."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def of(self, testbed: Testbed, number: int | None = None) -> BoardLog:
        """Return the log of a board: named by its label in the lab file, else its testbed; `number` = which of many."""
        name = str(testbed.description.extra.get("board", testbed.name))
        return BoardLog(name if number is None else f"{name}-{number:02d}", self._folder)


def _escaped(secret: str) -> str:
    """Return a text as it stands in an AT command's quotes."""
    return "".join(f"\\{c}" if c in '\\",' else c for c in secret)
