"""`pytest --testbed X`: a testbed that is not there is exit code 4 and one line, never a skip."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EMPTY = "def test_nothing(pytestconfig):\n    pass\n"


def _pytest(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(EMPTY)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *argv, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize("name", ["esp32", "stm32f746", "moon"])
def test_an_absent_testbed_is_a_usage_error_that_names_the_cure(name: str, tmp_path: Path) -> None:
    done = _pytest(tmp_path, "--testbed", name, "-m", "latency")
    assert done.returncode == 4
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert line.startswith("ERROR: ")
    assert name in line
    assert "virtual" in line  # the cure


def test_the_header_prints_every_setting_and_markers_are_known(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "--strict-markers", "-m", "not (latency or memory or accuracy or energy)")
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("agilenn bench:")]
    settings = ("testbed virtual", "dataset cifar10", "profile compact", "schemes all", "rate 6M", "hil-images 3")
    for setting in (*settings, "save none", "compare none", "minimum-effect 2%", "run in no folder"):
        assert setting in line


def test_an_unknown_scheme_ends_the_session(tmp_path: Path) -> None:
    (tmp_path / "test_more.py").write_text("def test_one(hil_scheme):\n    pass\n")
    done = _pytest(tmp_path, "--schemes", "magic")
    assert done.returncode != 0
    assert "unknown scheme 'magic'" in done.stdout + done.stderr


@pytest.mark.parametrize(("given", "collected"), [((), "test_latency.py"), (("tests",), "test_other")])
def test_a_session_that_names_a_testbed_collects_what_measures_it_alone(
    given: tuple[str, ...], collected: str, tmp_path: Path
) -> None:
    """The others need packages that only developers have: their import would fail after `pip install -e .`."""
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    for folder, text in (("hil", "def test_hil_one(): pass\n"), ("unit", "def test_other(): pass\n")):
        (tmp_path / "tests" / folder).mkdir(parents=True)
        (tmp_path / "tests" / folder / f"test_{folder}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", "--testbed", "virtual"]
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert collected in done.stdout
    assert ("test_other" in done.stdout) == bool(given)
