"""A wheel is the whole bench: installed into an environment that has nothing but what the core needs, outside the
checkout, it measures and judges.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from ..support.core_packages import closure, link, project, size_mb

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
def core() -> list[Distribution]:
    """Return what `pip install agilenn-bench` brings."""
    return list(closure(project()["core"]).values())


@pytest.fixture(scope="module")
def installed(wheel: Path, core: list[Distribution], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an environment that has the wheel and what the core needs, but neither TensorFlow nor the
    checkout.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    there = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    link(core, there)
    _pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel), cwd=folder)
    return folder


def _run(installed: Path, folder: Path, *words: str, code: int = 0) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "AGILENN_LAB")}
    done = subprocess.run(
        [str(installed / "bin" / words[0]), *words[1:]],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stderr if code else done.stdout


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
    assert (tmp_path / "first" / "samples.csv").exists()
    assert list((tmp_path / "first" / "plots").glob("*.png"))
    assert "published" in _run(installed, tmp_path, "agilenn-bench", "compare", "first", "published")
    assert "holds?" in _run(installed, tmp_path, "agilenn-bench", "claims")
    _run(installed, tmp_path, "agilenn-bench", "report", "first")
    assert (tmp_path / "first" / "report.html").exists()
    assert "Ship" in _run(installed, tmp_path, "agilenn-bench", "recommend", "--rate", "2M", "--min-accuracy", "80")
    found = _run(
        installed, tmp_path, "python", "-m", "pytest", "--testbed", "virtual", "-m", "memory", "--schemes", "local_only"
    )
    assert "passed" in found


def test_a_small_installation_stays_small(wheel: Path, core: list[Distribution]) -> None:
    names = {one.metadata["Name"].lower() for one in core}
    assert not names & {"tensorflow", "tensorflow-cpu", "keras", "jax", "scipy", "pandas", "pyarrow"}
    own_mb = sum(info.file_size for info in zipfile.ZipFile(wheel).infolist()) / 1e6
    assert size_mb(core) + own_mb < 700


LARGE = ("tensorflow", "keras", "scipy", "pandas", "pyarrow")
ABSENT = f"from importlib.util import find_spec; print([name for name in {LARGE} if find_spec(name)])"
CURES = {
    ("train", "local_only"): "pip install 'agilenn-bench[train]'",
    ("sweep", "rho", "--values", "0.33"): "pip install 'agilenn-bench[train]'",
}


@pytest.mark.parametrize("words", CURES, ids=" ".join)
def test_a_way_in_that_needs_more_names_it_in_one_line(installed: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert _run(installed, tmp_path, "python", "-c", ABSENT).strip() == "[]"
    said = _run(installed, tmp_path, "agilenn-bench", *words, code=2)
    assert "Traceback" not in said
    assert CURES[words] in " ".join(said.split())


def test_a_table_of_samples_names_what_it_needs(installed: Path, tmp_path: Path) -> None:
    load = "import harness\nfrom harness.contracts.errors import BenchError\n"
    load += "try:\n    harness.load('.')\nexcept BenchError as e:\n    print(e)"
    assert "pip install 'agilenn-bench[tables]'" in _run(installed, tmp_path, "python", "-c", load)
