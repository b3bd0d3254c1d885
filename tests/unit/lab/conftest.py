"""Locks of these tests are their own; artefacts are those of the harness' tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location(
    "lab_harness_fixtures", Path(__file__).parents[1] / "harness" / "conftest.py"
)
assert _SPEC is not None and _SPEC.loader is not None
_module = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_module)
make_artefact = _module.make_artefact
local_artefact = _module.local_artefact
remote_artefact = _module.remote_artefact
network = _module.network


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.delenv("AGILENN_LAB", raising=False)
