"""A sweep tells a program what it found, on stdout and nothing else there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def test_a_sweep_prints_json_alone(tmp_path: Path, start: Callable[..., Any]) -> None:
    words = ("harness.sweep", "table", "--schemes", "local_only", "--images", "1", "--no-accuracy")
    code, out, err = start(*words, "--json", "--out", str(tmp_path / "run")).wait()
    assert code == 0, err
    told = json.loads(out)
    latency = [figure for figure in told["figures"] if figure["metric"] == "total_ms"]
    assert latency and all(figure["scheme"] == "local_only" and figure["value"] > 0 for figure in latency)
    code, same, err = start("harness.export", str(tmp_path / "run"), "--format", "json").wait()
    assert code == 0, err
    assert json.loads(same) == told


def test_what_has_no_one_answer_is_refused(tmp_path: Path, start: Callable[..., Any]) -> None:
    for more in (("--dry-run",), ("--testbed", "virtual,native")):
        code, out, err = start("harness.sweep", "table", "--json", *more, "--out", str(tmp_path / "run")).wait()
        assert (code, out) == (2, "")
        assert err.startswith("error: --json tells of one testbed that was measured: ") and err.count("\n") == 1
