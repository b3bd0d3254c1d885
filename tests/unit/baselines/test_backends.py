"""The same training on Keras' JAX backend: gradients as TensorFlow's, exact resume, no TensorFlow but for the export.

Keras' backend is fixed when it is imported, so JAX has a process of its own (backend_side.py).
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet
from baselines.networks.quiet import backend_name, start_tensorflow, start_training
from baselines.schemes.agilenn import AgileNN
from baselines.schemes.agilenn import training as agilenn_training
from baselines.training.interface import Silent
from harness.commands import train as way_in
from harness.contracts.description import load_description
from harness.contracts.errors import BenchError
from harness.training.options import TrainOptions

pytestmark = pytest.mark.slow

SIDE = Path(__file__).parent / "backend_side.py"
spec = importlib.util.spec_from_file_location("backend_side", SIDE)
assert spec is not None and spec.loader is not None
side = importlib.util.module_from_spec(spec)
spec.loader.exec_module(side)

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed: pip install jax")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled programs shared by the processes: compiling takes longest here."""
    return tmp_path_factory.mktemp("programs")


def on_jax(programs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(programs),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[3]), *sys.path]),
        "COLUMNS": "1000",
    }
    command = [sys.executable, str(SIDE), *words, "--no-tensorflow"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12))


@needs_jax
def test_joint_loss_and_gradients_are_tensorflows(tmp_path: Path, programs: Path) -> None:
    on_jax(programs, "gradients", str(tmp_path))
    ours, theirs = side.joint_gradients(second_order=True), np.load(tmp_path / "full.npz")
    assert set(theirs.files) == set(ours)
    largest = max(np.abs(value).max() for name, value in ours.items() if name[:2].isdigit())
    for name, value in ours.items():
        # A gradient that is nothing but rounding (of a bias before a normalisation, say) is held against the largest.
        assert np.abs(theirs[name] - value).max() <= 1e-4 * np.abs(value).max() + 1e-6 * largest, name

    first = np.load(tmp_path / "first.npz")
    kernel = next(name for name in ours if "extract_first_conv" in name)
    assert relative(first["loss"], theirs["loss"]) < 1e-6
    assert relative(first[kernel], theirs[kernel]) > 1e-3  # dropping the second-order terms changes it


@needs_jax
def test_resume_on_jax_is_exact_and_divergence_keeps_the_last_epoch(tmp_path: Path, programs: Path) -> None:
    on_jax(programs, "resume", str(tmp_path))
    files = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*.npz"))
    assert {"joint.npz", "best-joint.npz", "local.npz", "reference.npz", "warm.npz"} <= {path.name for path in files}
    for file in files:
        with np.load(tmp_path / "whole" / file) as whole, np.load(tmp_path / "resumed" / file) as resumed:
            for name in whole.files:
                if name != "state":  # it has the seconds
                    assert np.array_equal(whole[name], resumed[name]), (file, name)
    said = (tmp_path / "diverged").read_text()
    assert "no longer finite in epoch 2" in said
    (kept,) = (tmp_path / "diverging").rglob("joint.npz")
    assert f"the last good checkpoint is {kept}" in said
    with np.load(kept) as arrays:
        assert all(np.isfinite(value).all() for value in arrays.values())


@needs_jax
def test_trained_without_tensorflow_exported_with_it(
    tmp_path: Path, programs: Path, tiny: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = on_jax(programs, "way_in", str(tmp_path))
    assert (tmp_path / "code").read_text() == "2"
    line = next(line for line in said.stderr.splitlines() if "not exported" in line)
    assert "there is no TensorFlow here" in line and "KERAS_BACKEND=tensorflow python -m harness.train agilenn" in line
    assert "checkpoints in" in said.stdout and "Traceback" not in said.stderr
    assert not (tmp_path / "out").exists()

    class Watch(Silent):
        def step(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
            raise AssertionError("trained again")

    monkeypatch.setattr(agilenn_training, "CALIBRATION_PICTURES", 16)
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))
    options = TrainOptions("cifar10", epochs=1, resume=True, out=tmp_path / "out", overrides=side.OVERRIDES)
    folder = AgileNN().train(options, Watch())
    d = load_description(folder)
    with np.load(next((tmp_path / "cache" / "training").glob("agilenn-*/best-joint.npz"))) as trained:
        assert any(value.shape == (4,) for value in trained.values())  # the codebook among them
    assert (d.first_channel, d.n_symbols) == (5, 4)
    assert (folder / "history.csv").read_text().count("\n") == 2
    assert 'library = "jax' in (folder / "summary.toml").read_text()


def test_a_backend_that_trains_nothing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(BenchError, match="tensorflow or jax"):
        backend_name()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(BenchError, match="this runs on TensorFlow: unset KERAS_BACKEND"):
        start_tensorflow(1)
    real: Any = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None if name == "jax" else real(name))
    with pytest.raises(BenchError, match="not installed"):
        start_training(1)


@pytest.mark.parametrize("there", [True, False])
def test_where_both_are_installed_tensorflow_exports(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    calls: list[tuple[list[str], dict[str, str]]] = []

    def run(command: list[str], *, env: dict[str, str], check: bool) -> subprocess.CompletedProcess[str]:
        calls.append((command, env))
        return subprocess.CompletedProcess(command, 7)

    class Trained:
        title = "any"

        def train(self, options: TrainOptions, report: Any) -> Path:
            assert not options.export
            return Path("work")

    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(way_in.subprocess, "run", run)
    monkeypatch.setattr(way_in.registry, "scheme", lambda name: Trained())
    monkeypatch.setattr(way_in, "has_tensorflow", lambda: there)
    words = ["agilenn", "--seeds", "1,2", "--resume"]
    if there:
        assert way_in.main(words) == 7
        ((command, env),) = calls
        assert command[1:] == ["-m", "harness.train", "agilenn", "--seeds", "1,2", "--resume"]
        assert env["KERAS_BACKEND"] == "tensorflow"
    assert way_in.main([*words, "--no-export"]) == 0
    assert len(calls) == there
