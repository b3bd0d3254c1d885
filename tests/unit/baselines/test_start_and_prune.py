"""AgileNN-R goes on from exported weights, and its export leaves out what never says anything, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet
from baselines.export.dequantise import folded_weights
from baselines.export.evaluation import device_half
from baselines.networks.folding import assign
from baselines.recipes.files import place
from baselines.recipes.loading import load_recipe
from baselines.recipes.recipe import AgileNNRecipe
from baselines.schemes.agilenn import AgileNN, AgileNNR, prune
from baselines.schemes.agilenn.export import export_device, export_remote, pruned
from baselines.schemes.agilenn.networks import device_model, remote_spec
from baselines.schemes.agilenn.start import job_from_weights
from baselines.schemes.agilenn.training import check
from baselines.training.interface import Silent
from baselines.training.supervised import Samples
from harness.contracts.description import GRAPH, DeviceDescription, load_description
from harness.contracts.errors import BenchError
from harness.training.options import TrainOptions

SMALL = {
    "batch": "16",
    "validation": "32",
    "network.remote_widths": "[8]",
    "network.local_widths": "[4]",
    "codebook.centroids": "4",
    "codec": "lzw",
    "reference.epochs": "1",
    "reference.batch": "16",
    "reference.validation": "32",
    "reference.widths": "[8]",
    "reference.file": "",
}
DEAD = (2, 7)  # of the 19 sent channels
CENTROIDS = np.array([0.0, 0.8, 1.6000001, 1.6000002], np.float32)


def recipe(**more: str) -> AgileNNRecipe:
    return load_recipe(AgileNNRecipe, "agilenn_r", "cifar10", "compact", overrides=SMALL | more)


class Exported:
    """A device half of random weights with two channels that give nothing, and a codebook with a symbol too many."""

    def __init__(self, data: DataSet, folder: Path) -> None:
        self.recipe, self.data = recipe(), data
        rng = np.random.default_rng(3)
        self.model = device_model(self.recipe, data, folded=True)
        self.weights = {
            f"{layer.name}/{kind}": (rng.standard_normal(v.shape) * 0.3).astype(np.float32)
            for layer in self.model.layers
            if layer.weights
            for kind, v in zip(("kernel", "bias"), layer.weights, strict=True)
        }
        k = self.recipe.network.k
        self.weights["extract_mix_conv/bias"] = rng.uniform(0.5, 1.5, 24).astype(np.float32)  # the others say something
        for channel in DEAD:
            self.weights["extract_mix_conv/kernel"][..., k + channel] = 0.0
            self.weights["extract_mix_conv/bias"][k + channel] = -0.5
        assign(self.model, self.weights)
        self.samples = Samples.by(self.recipe, data)
        self.calibration = self.samples.first(64)
        named = {"scheme": "agilenn", "dataset": "cifar10", "profile": "compact"}
        self.half = export_device(
            self.model, CENTROIDS, 0.3, self.recipe, classes=data.classes, calibration=self.calibration, **named
        )
        spec = remote_spec(self.recipe, data)
        server = spec.build(folded=True)
        for variable in server.weights:
            variable.assign((rng.standard_normal(variable.shape) * 0.2).astype(np.float32))
        flat = {f"{layer.name}/{kind}": np.asarray(v) for layer in server.layers if layer.weights
                for kind, v in zip(("kernel", "bias"), layer.weights, strict=True)}  # fmt: skip
        export_remote(folder, spec, flat)

    def write(self, folder: Path, half: Any) -> Path:
        from baselines.export.artefact import write_artefact  # noqa: PLC0415

        write_artefact(folder, half.description, graph=half.graph, recipe=self.recipe, history=None)
        return folder


@pytest.fixture
def exported(tiny: DataSet, tmp_path: Path) -> Exported:
    return Exported(tiny, tmp_path / "whole")


def test_what_is_left_out_changes_no_answer(exported: Exported, tiny: DataSet, tmp_path: Path) -> None:
    whole = exported.write(tmp_path / "whole", exported.half)
    left = pruned(exported.half, exported.samples.first(100), Silent())
    d = left.description
    assert set(DEAD) <= set(d.constant_channels) and d.channels == 19 - len(d.constant_channels)
    assert d.n_symbols == 3  # the third centroid is nearest to nothing
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "server.npz").write_bytes((whole / "server.npz").read_bytes())
    exported.write(tmp_path / "left", left)
    answers = []
    for folder in (whole, tmp_path / "left"):
        description = load_description(folder)
        symbols, local = device_half(description, (folder / GRAPH).read_bytes(), tiny.x_test)
        assert symbols is not None and local is not None
        server = AgileNN().server(folder)
        assert server.symbols == symbols.shape[1]
        answers.append((symbols.shape[1], local, server.infer_batch(symbols), server.infer(symbols[0])))
    assert answers[1][0] == answers[0][0] // 19 * d.channels
    for a, b in zip(answers[0][1:], answers[1][1:], strict=True):
        assert np.array_equal(a, b)


@pytest.mark.slow
def test_fewer_cycles_and_fewer_bytes(exported: Exported, tiny: DataSet) -> None:
    from testbeds.firmware.generator.model import parse_model  # noqa: PLC0415
    from testbeds.firmware.host.hostlib import codec_library  # noqa: PLC0415
    from testbeds.virtual.layer_cycles import measure  # noqa: PLC0415

    left = pruned(exported.half, exported.samples.first(100), Silent())
    cycles = [measure(parse_model(half.graph)).total.cycles_with_fills for half in (exported.half, left)]
    assert cycles[1] < cycles[0]
    library, sizes = codec_library(), []
    for half in (exported.half, left):
        symbols, _ = device_half(half.description, half.graph, tiny.x_test)
        assert symbols is not None
        sizes.append(sum(len(library.encode(one, half.description.n_symbols, "lzw", 0, 0)) for one in symbols))
    assert sizes[1] < sizes[0]


@pytest.mark.slow
def test_exported_weights_are_read_back_and_trained_on(
    exported: Exported, tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGILENN_WEIGHTS_DIR", str(tmp_path))
    assert place("{weights}/{dataset}-x", "cifar10") == tmp_path / "cifar10-x"
    left = pruned(exported.half, exported.samples.first(100), Silent())
    whole = exported.write(tmp_path / "whole", left)  # as it is exported: narrower than it is trained
    narrow = device_model(exported.recipe, tiny, folded=True, sent=left.description.channels)
    back = prune.widened(folded_weights((whole / GRAPH).read_bytes(), narrow), left.description)
    for name, value in exported.weights.items():
        live = [c for c in range(24) if c - 5 not in left.description.constant_channels]
        mine, theirs = (w[..., live] if "extract_mix" in name else w for w in (back[name], value))
        assert np.abs(mine - theirs).max() <= np.abs(theirs).max() / 127, name
    job = job_from_weights(recipe(go_on_from="{weights}/whole"), tiny, None, exported.samples, Silent())
    assert job.evaluate().keys() == {"val_accuracy", "val_local", "val_remote"}
    assert float(job.alpha()) == pytest.approx(0.3)
    symbols, _ = device_half(left.description, left.graph, tiny.x_test)
    assert symbols is not None
    kept = prune.kept_of(19, dict.fromkeys(left.description.constant_channels, 0))
    float_symbols = job.symbols(tiny.x_test)
    assert (float_symbols[..., list(DEAD)] == 0).all()
    assert np.mean(float_symbols[..., kept].reshape(len(symbols), -1) == symbols) > 0.97


@pytest.mark.slow
def test_agilenn_r_trains_on_from_agilenns_artefact(
    exported: Exported, tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baselines.schemes.agilenn.training.CALIBRATION_PICTURES", 16)
    exported.write(tmp_path / "whole", exported.half)
    over = SMALL | {
        "go_on_from": str(tmp_path / "whole"),
        "finish_epochs": "1",
        "rate.pictures": "16",
        "codec": "context",
    }
    options = TrainOptions("cifar10", epochs=1, out=tmp_path / "out", overrides=over)
    folder = AgileNNR().train(options, Silent())
    d = load_description(folder)
    assert set(DEAD) <= set(d.constant_channels)
    assert AgileNNR().server(folder).symbols == 16 * 16 * d.channels


@pytest.mark.parametrize(
    "change",
    [{"losses.reference": "0.1"}, {"losses.skewness_weight": "1.0"}, {"network.logit_norm": "true"}],
)
def test_what_exported_weights_do_not_tell_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(BenchError, match="go_on_from: "):
        check(recipe(**change), deployable=True)


def test_weights_of_other_networks_are_refused(exported: Exported, tiny: DataSet, tmp_path: Path) -> None:
    folder = exported.write(tmp_path / "whole", exported.half)
    for change, said in (
        ({"network.split": "0.3"}, "first_channel 5"),
        ({"network.local_widths": "[6]"}, "local0_conv"),
        ({"codebook.centroids": "3"}, "4 symbols"),
    ):
        with pytest.raises(BenchError, match=said):
            job_from_weights(recipe(go_on_from=str(folder), **change), tiny, None, exported.samples, Silent())


def test_constant_channels_and_symbols_of_a_description_belong_together(exported: Exported) -> None:
    told = exported.half.description.model_dump()
    for wrong in (
        {"constant_channels": [1]},
        {"constant_channels": [3, 1], "constant_symbols": [0, 0]},
        {"constant_channels": [30], "constant_symbols": [0]},
        {"constant_channels": [1], "constant_symbols": [9]},
    ):
        with pytest.raises(ValueError, match="constant_"):
            DeviceDescription.model_validate(told | wrong)


def test_all_constant_leaves_one() -> None:
    assert prune.constant_channels(np.zeros((3, 4 * 2), np.uint8), 2) == {0: 0}
