"""The scheme of docs/own-scheme.md from outside the bench: trained on a handful of made pictures, run on two boards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.contracts.description import load_description

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tests" / "external" / "nibbles"
TRAINED = ("--set", "validation=40", "--set", "batch=40", "--set", "learning_rate=0.02", "--epochs", "5")


def _data(folder: Path) -> None:
    """Pictures of four classes, each with its own bright quarter."""
    rng = np.random.default_rng(7)
    arrays: dict[str, np.ndarray] = {"names": np.array(["a", "b", "c", "d"])}
    for split, n in (("train", 400), ("test", 40)):
        y = (np.arange(n) % 4).astype(np.uint8)
        x = rng.integers(0, 120, (n, 32, 32, 3), dtype=np.uint8)
        for picture, quarter in zip(x, y, strict=True):
            row, column = 16 * (quarter // 2), 16 * (quarter % 2)
            picture[row : row + 16, column : column + 16] += 120
        x[:, 0, 0], x[:, 0, 1] = 0, 255
        arrays |= {f"x_{split}": x, f"y_{split}": y}
    folder.mkdir()
    np.savez(folder / "corners.npz", **arrays)
    (folder / "corners.toml").write_text('file = "corners.npz"\nflips = false\n')


def _installed(site: Path) -> None:
    """What `pip install` leaves of the package: its modules, and the entry points of its pyproject.toml."""
    import tomllib  # noqa: PLC0415

    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    known = site / f"{project['name']}-{project['version']}.dist-info"
    known.mkdir(parents=True)
    (known / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in p.items()) for group, p in project["entry-points"].items()
    ]
    (known / "entry_points.txt").write_text("\n".join(lines))
    (site / "nibbles").symlink_to(PACKAGE / "nibbles")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("own")
    _data(folder / "data")
    _installed(folder / "site")
    paths = os.pathsep.join(filter(None, (str(folder / "site"), str(ROOT), os.environ.get("PYTHONPATH"))))
    return os.environ | {
        "PYTHONPATH": paths,
        "AGILENN_DATA_DIR": str(folder / "data"),
        "AGILENN_WEIGHTS_DIR": str(folder / "weights"),
    }


def _run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    folder = Path(environment["AGILENN_DATA_DIR"]).parent
    return subprocess.run(
        [sys.executable, "-m", *words, "--dataset", "corners"],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(environment: dict[str, str]) -> Path:
    done = _run(environment, "harness.train", "nibbles", *TRAINED)
    assert done.returncode == 0, done.stderr
    return Path(environment["AGILENN_WEIGHTS_DIR"]) / "corners-compact" / "nibbles"


def test_it_sends_four_bits_of_a_small_map_and_learns(trained: Path) -> None:
    d = load_description(trained)
    assert (d.channels, d.n_symbols, len(d.centroids), d.codec) == (4, 16, 16, "context")
    assert 8 <= max(d.symbol_table) <= 15  # not all levels are met by a training as short as this
    assert float(re.findall(r"combined = ([\d.]+)", (trained / "summary.toml").read_text())[-1]) > 0.8  # chance: 0.25


@pytest.mark.parametrize("testbed", ["virtual", "native"])
def test_it_runs_on_a_board(testbed: str, environment: dict[str, str], trained: Path) -> None:
    rate = "2M" if testbed == "virtual" else "none"
    words = ("--scheme", trained.name, "--testbed", testbed, "--image", "3", "--rate", rate)
    done = _run(environment, "harness.run", *words)
    assert done.returncode == 0, done.stderr
    assert re.search(r"class \d, label \d: (right|wrong)", done.stdout), done.stdout
    assert "codec context, 256 symbols" in done.stdout


def test_it_keeps_what_every_scheme_must_keep(environment: dict[str, str], trained: Path) -> None:
    suite = str(ROOT / "tests" / "conformance" / "test_scheme.py")
    done = _run(environment, "pytest", suite, "-q", "-p", "no:cacheprovider", "--schemes", trained.name)
    assert done.returncode == 0, done.stdout
    assert re.search(r"6 passed, 1 skipped", done.stdout), (
        done.stdout
    )  # it has a server, so it need not say it has none


def test_a_profile_without_a_recipe_is_one_line(environment: dict[str, str]) -> None:
    done = _run(environment, "harness.train", "nibbles", "--profile", "paper")
    assert done.returncode == 2
    assert done.stderr == "error: no recipe for nibbles in profile 'paper': choose one of compact\n"


def test_it_is_as_short_as_its_page_says() -> None:
    lines = sum(len(path.read_text().splitlines()) for path in (PACKAGE / "nibbles").glob("*.py"))
    assert lines <= 145
    assert "140 lines" in (ROOT / "docs" / "own-scheme.md").read_text()
