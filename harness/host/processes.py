"""Makes processes of the bench end with the one that started them, however that one went."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends, even by SIGKILL (prctl(2), Linux)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def inherited_path() -> str:
    """Return the PYTHONPATH for a child that is to import what this process does."""
    return os.pathsep.join(p for p in sys.path if p)
