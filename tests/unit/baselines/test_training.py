"""All three schemes trained for moments on synthetic pictures: artefacts, resume, servers, refusal of wrong files."""

from __future__ import annotations

import csv
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet
from baselines.export.evaluation import accuracies, device_half
from baselines.schemes.agilenn import AgileNN
from baselines.schemes.agilenn import training as agilenn_training
from baselines.schemes.full_offload import FullOffload
from baselines.schemes.local_only import LocalOnly
from baselines.training import checkpoint
from baselines.training.interface import Silent
from harness.contracts.description import load_description, weights_hash
from harness.contracts.errors import BenchError
from harness.training.options import TrainOptions

pytestmark = pytest.mark.slow

TINY = {
    "batch": "16",
    "validation": "32",
    "reference.epochs": "1",
    "reference.batch": "16",
    "reference.validation": "32",
    "reference.widths": "[8, 8]",
}
AGILE = TINY | {
    "network.remote_widths": "[8, 8]",
    "network.local_widths": "[4]",
    "importance.batch": "8",
    "preselect.samples": "32",
    "codebook.centroids": "4",
}


@pytest.fixture(autouse=True)
def _small_calibration(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines.export.quantise.CALIBRATION_PICTURES", 16)
    monkeypatch.setattr(agilenn_training, "CALIBRATION_PICTURES", 16)


def options(out: Path, overrides: dict[str, str], **more: Any) -> TrainOptions:
    return TrainOptions(dataset="cifar10", out=out, overrides=overrides, **more)


class Interrupt(Silent):
    """Ctrl-C after the first epoch of AgileNN's joint phase."""

    def __init__(self) -> None:
        self.title = ""

    def begin(self, title: str, epochs: int, steps: int, first_epoch: int) -> None:
        self.title = title

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        if self.title == AgileNN.title:
            raise KeyboardInterrupt


def test_agilenn_trains_resumes_exactly_and_serves(tmp_path: Path, tiny: DataSet) -> None:
    scheme = AgileNN()
    with pytest.raises(KeyboardInterrupt):
        scheme.train(options(tmp_path / "out", AGILE, epochs=2), Interrupt())
    assert not (tmp_path / "out").exists()
    folder = scheme.train(options(tmp_path / "out", AGILE, epochs=2, resume=True), Silent())
    again = scheme.train(options(tmp_path / "again", AGILE, epochs=2), Silent())
    assert weights_hash(folder) == weights_hash(again)

    d = load_description(folder)
    assert (d.first_channel, d.channels, d.n_symbols, d.offload) == (5, 19, 4, "features")
    assert d.centroids == sorted(d.centroids)
    with (folder / "history.csv").open() as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == 2
    assert {"loss", "val_accuracy", "val_local", "val_remote", "val_skewness", "val_violations"} <= rows[0].keys()

    symbols, local = device_half(d, (folder / "device.tflite").read_bytes(), tiny.x_test[:6])
    assert symbols is not None and local is not None
    assert symbols.shape == (6, 16 * 16 * 19)
    assert symbols.max() < 4
    server = scheme.server(folder)
    assert (server.symbols, server.classes) == (16 * 16 * 19, 4)
    batch = server.infer_batch(symbols)
    assert np.stack([server.infer(row) for row in symbols]) == pytest.approx(batch, abs=1e-4)
    with pytest.raises(BenchError, match="the network wants 4864"):
        server.infer(symbols[0][:-1])
    with pytest.raises(BenchError, match="symbol 9 of 4"):
        server.infer(np.full(16 * 16 * 19, 9, np.uint8))

    summary = tomllib.loads((folder / "summary.toml").read_text())
    assert summary["test_int8"] == accuracies(scheme, folder, tiny.x_test, tiny.y_test)
    assert summary["validation_n"] == 32

    other = shutil.copytree(folder, tmp_path / "other")
    text = (other / "description.toml").read_text()
    (other / "description.toml").write_text(text.replace("classes = 4", "classes = 5"))
    with pytest.raises(BenchError, match="the description says"):
        scheme.server(other)


def test_without_a_local_branch_every_channel_is_sent(tmp_path: Path, tiny: DataSet) -> None:
    folder = AgileNN().train(options(tmp_path / "out", AGILE, epochs=1, preset="all_sent"), Silent())
    d = load_description(folder)
    assert (d.first_channel, d.channels, d.local_logits_output, d.alpha) == (0, 24, -1, 0.0)
    found = accuracies(AgileNN(), folder, tiny.x_test, tiny.y_test)
    assert found.keys() == {"remote", "combined"}


@pytest.mark.parametrize("preset", ["paper", "public"])
def test_presets_train_and_export(tmp_path: Path, tiny: DataSet, preset: str) -> None:
    overrides = {k: v for k, v in AGILE.items() if k not in ("network.local_widths", "importance.batch")}
    overrides |= {"preselect.samples": "32", "importance.steps": "4"}
    folder = AgileNN().train(options(tmp_path / "out", overrides, epochs=1, preset=preset), Silent())
    d = load_description(folder)
    summary = tomllib.loads((folder / "summary.toml").read_text())
    assert d.alpha == pytest.approx(summary["alpha_learned"], abs=1e-3)
    floats, int8 = summary["validation_float"]["combined_at_alpha"], summary["validation_int8"]["combined"]
    assert abs(floats - int8) < 0.2  # 32 pictures: the folded logit normalisation is the same function


def test_what_is_not_quantised_is_no_scheme_for_a_device(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="not quantised"):
        AgileNN().train(options(tmp_path / "out", AGILE, preset="control"), Silent())


def test_full_offload_is_the_reference_network_on_pixels(tmp_path: Path, tiny: DataSet) -> None:
    overrides = {key: value for key, value in TINY.items() if key.startswith("reference.")}
    folder = FullOffload().train(options(tmp_path / "out", overrides), Silent())
    d = load_description(folder)
    assert (d.graph, d.offload, d.n_symbols, d.alpha) == (False, "image", 256, 0.0)
    server = FullOffload().server(folder)
    assert server.symbols == 3072
    server.warm_up()
    assert server.infer(tiny.x_test[0].reshape(-1)).shape == (4,)


def test_local_only_exports_one_int8_graph_and_has_no_server(tmp_path: Path, tiny: DataSet) -> None:
    overrides = TINY | {"stem": "4", "stages": '["conv 4", "inverted 8 s2 d2 e2"]'}
    folder = LocalOnly().train(options(tmp_path / "out", overrides, epochs=1), Silent())
    d = load_description(folder)
    assert (d.offload, d.alpha, d.local_logits_output) == ("none", 1.0, 0)
    _, local = device_half(d, (folder / "device.tflite").read_bytes(), tiny.x_test)
    assert local is not None
    assert local.shape == (40, 4)
    with pytest.raises(BenchError, match="no server half"):
        LocalOnly().server(folder)


def test_no_epochs_exports_untrained(tmp_path: Path) -> None:
    folder = LocalOnly().train(
        options(tmp_path / "out", TINY | {"stem": "4", "stages": '["conv 4"]'}, epochs=0), Silent()
    )
    assert load_description(folder).graph
    assert not (folder / "history.csv").exists()


def test_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    overrides = TINY | {"stem": "4", "stages": '["conv 4"]'}
    with pytest.raises(BenchError, match="can't write"):
        LocalOnly().train(options(tmp_path / "file" / "out", overrides, epochs=0), Silent())


def test_checkpoint_of_other_shapes_is_refused(tmp_path: Path) -> None:
    import keras  # noqa: PLC0415

    checkpoint.save(tmp_path / "c.npz", [keras.Variable(np.zeros(3))], {"history": []})
    with pytest.raises(BenchError, match="another network"):
        checkpoint.load(tmp_path / "c.npz", [keras.Variable(np.zeros(4))])


def test_pictures_that_are_not_square_come_through_to_the_artefact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (96, 17, 27, 3), dtype=np.uint8)
    y = (np.arange(96) % 3).astype(np.uint8)
    wide = DataSet("cifar10", x, y, x[:20], y[:20], ("a", "b", "c"), "wide")
    monkeypatch.setattr("baselines.training.pictures.load_dataset", lambda *_: wide)
    folder = AgileNN().train(options(tmp_path / "out", AGILE, epochs=0), Silent())
    assert load_description(folder).input_shape == (17, 27, 3)
    assert set(accuracies(AgileNN(), folder, wide.x_test, wide.y_test)) == {"local", "remote", "combined"}
