"""Says how a process ended, for people."""

from __future__ import annotations

import signal


def how(code: int) -> str:
    """Return "ended with code 3" or "was killed by SIGKILL", from the return code that `subprocess` has."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
