"""A wheel is the whole bench: installed into an empty environment, outside the checkout, it measures and judges."""

from __future__ import annotations

import importlib.util
import os
import shutil
import site
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".tox", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this environment has no pip"),
]


def _pip(*words: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "-q", *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "tree", ignore=LEFT_OUT)
    _pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(folder / "tree"), cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an environment that has the wheel, and this one's other packages, but not the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    there = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    # A path named in a .pth is searched, and .pth files inside it are not run: an editable install stays out.
    (there / "others.pth").write_text("\n".join([*site.getsitepackages(), sysconfig.get_path("purelib")]) + "\n")
    _pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel), cwd=folder)
    return folder


def _run(installed: Path, folder: Path, *words: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "AGILENN_LAB")}
    done = subprocess.run(
        [str(installed / "bin" / words[0]), *words[1:]],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_the_wheel_holds_what_the_checkout_holds(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("harness", "testbeds", "baselines"):
        code = [
            p for p in (ROOT / package).rglob("*") if p.suffix in (".py", ".c", ".h", ".toml", ".tflite", ".npz", ".ld")
        ]
        missing = {str(p.relative_to(ROOT)) for p in code if "__pycache__" not in p.parts} - names
        assert missing == set()
    for kind in ("published", "reference"):
        data = [p for p in (ROOT / "results" / kind).rglob("*") if p.suffix in (".csv", ".toml", ".json", ".parquet")]
        assert {f"harness/{p.relative_to(ROOT)}" for p in data} - names == set()
    assert "harness/py.typed" in names


def test_the_main_job_and_what_is_made_of_it(installed: Path, tmp_path: Path) -> None:
    assert "agilenn-bench 0" in _run(installed, tmp_path, "agilenn-bench", "--version")
    where = _run(installed, tmp_path, "python", "-c", "import harness; print(harness.__file__)")
    assert where.startswith(str(installed))
    sweep = ("sweep", "bandwidth", "--schemes", "agilenn,local_only", "--rates", "270k,6M", "--images", "2")
    _run(installed, tmp_path, "agilenn-bench", *sweep, "--no-accuracy", "--out", "first")
    assert (tmp_path / "first" / "samples.parquet").exists()
    assert "published" in _run(installed, tmp_path, "agilenn-bench", "compare", "first", "published")
    assert "holds?" in _run(installed, tmp_path, "agilenn-bench", "claims")
    _run(installed, tmp_path, "agilenn-bench", "report", "first")
    assert (tmp_path / "first" / "report.html").exists()
    assert "Ship" in _run(installed, tmp_path, "agilenn-bench", "recommend", "--rate", "2M", "--min-accuracy", "80")
    found = _run(
        installed, tmp_path, "python", "-m", "pytest", "--testbed", "virtual", "-m", "memory", "--schemes", "local_only"
    )
    assert "passed" in found
