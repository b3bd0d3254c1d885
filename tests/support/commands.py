"""Commands that tests start as a user would, and what they say."""

from __future__ import annotations

import signal


def heed_signals() -> None:
    """Undo what a parent of the tests may have ignored (nohup: SIGHUP; a shell's background: SIGINT). For a child."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def but_progress(err: str) -> str:
    """Return what a command said on stderr, less the lines of progress that a busy machine adds."""
    return "".join(line for line in err.splitlines(keepends=True) if not line.startswith("getting ready: "))
