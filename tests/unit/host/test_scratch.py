"""Temporary folders: removed by their owner, and by the next start where the owner was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.contracts import scratch

HOLD = "from harness.contracts.scratch import Scratch; s = Scratch('edge'); print(s.path, flush=True); input()"


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_a_folder_is_gone_with_its_block(tmp_path: Path) -> None:
    with scratch.folder("edge") as path:
        assert path.parent == tmp_path
        assert path.stat().st_mode & 0o777 == 0o700
        assert scratch.sweep() == [], "its owner lives"
        assert path.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next_start_and_nothing_else(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ.copy()
    )
    assert owner.stdout is not None and owner.stdin is not None
    left = Path(owner.stdout.readline().strip())
    (left / "generated.py").write_text("x")
    strangers = [tmp_path / "agilenn-bench-locks", tmp_path / "agilenn-edge-old", tmp_path / "other-edge-1"]
    for stranger in strangers:
        stranger.mkdir()
    assert scratch.sweep() == [], "its owner lives"
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    assert scratch.sweep() == [left]
    assert sorted(tmp_path.iterdir()) == sorted(strangers)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.mkdir()
    (target / ".held").touch()
    (tmp_path / "agilenn-edge-x").symlink_to(target)
    assert scratch.sweep() == []
    assert (target / ".held").exists()
