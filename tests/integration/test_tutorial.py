"""Every command of docs/tutorial.md, in its order, as a reader would type it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from baselines.data import load_dataset
from harness.contracts.errors import BenchError

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 900


def commands(page: Path) -> list[str]:
    """The lines of every block of shell commands."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_tutorial_holds_what_it_promises(tmp_path: Path) -> None:
    try:
        load_dataset("cifar10")
    except BenchError as e:
        pytest.skip(str(e))
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("no pip in this environment")
    shutil.copytree(ROOT / "tests" / "external", tmp_path / "tests" / "external")
    programs = tmp_path / "bin"
    programs.mkdir()
    site = tmp_path / "site"  # where the reader's virtual environment would be
    python = f'exec "{sys.executable}"'
    for name, line in (
        ("python", f'{python} "$@"'),
        ("pip", f'what=$1; shift; {python} -m pip "$what" --target "{site}" "$@"'),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH")))),
    }
    told = ""
    for command in commands(ROOT / "docs" / "tutorial.md"):
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        told += done.stdout
    assert (tmp_path / "first" / "report.html").is_file()
    assert "Ship " in told
    assert "Random channels" in told
    rows = (tmp_path / "second" / "samples.csv").read_text().splitlines()
    assert sum(",random_channels," in row and ",ok," in row for row in rows) == 4  # three and a warm-up


def test_the_scheme_from_outside_is_forty_lines() -> None:
    lines = (ROOT / "tests" / "external" / "random_channels" / "random_channels.py").read_text().splitlines()
    assert len(lines) <= 40
