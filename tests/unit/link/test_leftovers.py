"""What a killed run leaves is found by the next one; with the real tc and ip, in a namespace of our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.host import locks

pytestmark = pytest.mark.slow

INSIDE = Path(__file__).with_name("inside_namespace.py")


def test_kill_9_leaves_qdiscs_that_the_next_start_takes_away(namespaces: None, tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "-Urn", sys.executable, str(INSIDE)],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), locks.VARIABLE: str(tmp_path)},
    )  # fmt: skip
    if "Unknown device type" in done.stderr or "Specified filter kind not found" in done.stderr:
        pytest.skip(f"this kernel has no ifb or no mirred: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    before = {"qdiscs": ["noqueue"], "ours": [], "gso_max_segs": 65_535}
    shaped = {"qdiscs": ["pfifo", "ingress"], "ours": ["agnn-ifb0"], "gso_max_segs": 1}
    assert found["before"] == before
    assert found["shaped"] == found["left"] == found["again"] == shaped
    assert found["at_last"] == before  # as it was before the first of them, not as the second found it
    assert found["records"] == []
