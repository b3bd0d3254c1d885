"""What tests of links share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # uml.py


def _namespaces() -> bool:
    try:
        done = subprocess.run(["unshare", "-Urn", "true"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skips where this host lets nobody make network namespaces."""
    if not _namespaces():
        pytest.skip("this host does not let users make network namespaces (unshare -Urn)")
