"""A kernel that is installed but can't run is a reason to skip, not a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
import uml


@pytest.mark.parametrize(
    ("program", "says"),
    [("echo 'Checking that ptrace can change system call numbers...ptrace: no'; exit 1", "ptrace: no"),
     ("exit 134", "said nothing"), ("echo it-runs", "")],
)  # fmt: skip
def test_what_a_kernel_says_that_does_not_come_up(
    program: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "linux.uml").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "linux.uml").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(uml, "_modules", lambda: tmp_path)
    uml._refusal.cache_clear()
    try:
        why = uml.missing()
    finally:
        uml._refusal.cache_clear()
    assert why == "" if not says else "does not run here" in why and says in why
