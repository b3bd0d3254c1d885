"""Partition, DeepCOD and hierarchical inference, trained for moments on synthetic pictures."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet
from baselines.export.evaluation import accuracies, device_half
from baselines.export.exits import NEVER, choose_threshold, exits, top_probability
from baselines.networks.block_text import parse
from baselines.schemes.deepcod import DeepCOD
from baselines.schemes.hierarchical import Hierarchical
from baselines.schemes.partition import Partition
from baselines.schemes.partition.splits import available, materialise
from baselines.training.interface import Silent
from harness.contracts.description import load_description, weights_hash
from harness.contracts.errors import BenchError
from harness.training.options import TrainOptions

pytestmark = pytest.mark.slow

COMMON = {
    "batch": "16",
    "validation": "32",
    "precision": "float32",
    "reference.epochs": "1",
    "reference.batch": "16",
    "reference.validation": "32",
    "reference.widths": "[8, 8]",
    "reference.precision": "float32",
}
PARTITION = COMMON | {
    "blocks": '["conv24/2", "ir8x2", "fused8/2x2", "ir8x2", "wide8", "res", "wide8/2", "res"]',
    "splits": "[2, 4]",
    "split": "4",
    "exit_widths": "[8]",
}
TINY_BLOCKS = COMMON | {"blocks": '["conv8/2", "conv8/2"]'}
DEEPCOD = COMMON | {"channels": "4", "decoder": "[4, 4]"}


@pytest.fixture(autouse=True)
def _small_calibration(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("partition", "deepcod", "hierarchical"):
        monkeypatch.setattr(f"baselines.schemes.{name}.training.CALIBRATION_PICTURES", 16)


def options(out: Path, overrides: dict[str, str], **more: Any) -> TrainOptions:
    return TrainOptions(dataset="cifar10", out=out, overrides=overrides, **more)


class Heard(Silent):
    """Keeps what was said."""

    said = ""

    def message(self, text: str) -> None:
        self.said += text


def test_partition_serves_every_split_from_one_training(tmp_path: Path, tiny: DataSet) -> None:
    scheme = Partition()
    heard = Heard()
    folder = scheme.train(options(tmp_path / "out", PARTITION, epochs=1), heard)
    assert "6 convolutions start" in heard.said  # stem, two residual pairs, one stage: what the reference network has
    assert available(folder) == [2, 4]
    shapes = {2: (16, 16, 8), 4: (8, 8, 8)}
    answers = {}
    for split, shape in shapes.items():
        one = materialise(folder, split, tmp_path / f"split{split}")
        d = load_description(one)
        assert (d.split, d.channels, d.n_symbols, d.codec, d.alpha) == (split, 8, 256, "shuffle", 0.0)
        symbols, local = device_half(d, (one / "device.tflite").read_bytes(), tiny.x_test)
        assert symbols is not None and local is not None
        assert symbols.shape == (len(tiny.x_test), int(np.prod(shape)))
        assert d.centroids[symbols.min()] == pytest.approx(0.0, abs=1e-6)  # ReLU6: nothing negative is sent
        server = scheme.server(one)
        assert server.symbols == symbols.shape[1]
        answers[split] = server.infer_batch(symbols)
    # One network, cut at two places: but for 8 bits they say the same.
    assert answers[2] == pytest.approx(answers[4], abs=0.15 * float(np.ptp(answers[4])))
    assert weights_hash(folder) == weights_hash(tmp_path / "split4")
    assert weights_hash(folder) != weights_hash(tmp_path / "split2")
    summary = tomllib.loads((folder / "summary.toml").read_text())
    assert summary["validation_int8_by_split"].keys() == {"2", "4"}
    assert summary["test_int8"] == accuracies(scheme, folder, tiny.x_test, tiny.y_test)
    with pytest.raises(BenchError, match=r"no split 3.*choose from 2, 4"):
        materialise(folder, 3, tmp_path / "none")
    text = (folder / "description.toml").read_text()
    (folder / "description.toml").write_text(text.replace("split = 4", "split = 9"))
    with pytest.raises(BenchError, match="split 9"):
        scheme.server(folder)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"split": "3"}, "one of splits"),
        ({"splits": "[4, 2]"}, "must ascend"),
        ({"splits": "[2, 4, 6]"}, "for the server"),
        ({"blocks": '["conv24/2", "lstm8"]'}, "blocks.1"),
        ({"threshold": '"guess"'}, "threshold"),
    ],
)
def test_a_wrong_partition_recipe_is_one_line(tmp_path: Path, changes: dict[str, str], why: str) -> None:
    with pytest.raises(BenchError, match=why):
        Partition().train(options(tmp_path / "out", PARTITION | changes), Silent())


def test_deepcod_decodes_and_classifies(tmp_path: Path, tiny: DataSet) -> None:
    scheme = DeepCOD()
    folder = scheme.train(options(tmp_path / "out", DEEPCOD, epochs=1), Silent())
    d = load_description(folder)
    assert (d.channels, d.n_symbols, d.local_logits_output, d.alpha) == (4, 8, -1, 0.0)
    assert d.centroids == sorted(d.centroids)
    symbols, local = device_half(d, (folder / "device.tflite").read_bytes(), tiny.x_test)
    assert symbols is not None
    assert local is None
    assert symbols.shape == (len(tiny.x_test), 8 * 8 * 4)
    assert len(np.unique(symbols)) > 2
    assert scheme.server(folder).infer_batch(symbols).shape == (len(tiny.x_test), 4)


def test_deepcod_starts_as_the_best_linear_code(tmp_path: Path, tiny: DataSet) -> None:
    """Untrained, encoder and decoder are a projection on the patches' principal components and back."""
    tf = pytest.importorskip("tensorflow")
    from baselines.networks.decoder import decoder_model, start_linear  # noqa: PLC0415
    from baselines.schemes.deepcod.encoder import Encoder, device_model, first_kernel  # noqa: PLC0415

    x = tf.cast(tiny.x_train[:32], tf.float32) / 255.0
    error = {}
    for channels in (4, 48):
        encoder = Encoder(first_kernel(tiny.x_train, channels, 0), 8, 2.0)
        decoder = decoder_model((8, 8, channels), (4, 4), folded=False)
        start_linear(decoder, np.asarray(encoder.kernel))
        for _ in range(20):
            encoder.normalised(update=True)
        features = encoder.features(x)
        assert device_model(encoder, (32, 32, 3))(x).numpy() == pytest.approx(features.numpy(), abs=1e-5)
        assert float(encoder.orthogonality()) == pytest.approx(0.0, abs=1e-6)
        error[channels] = float(tf.reduce_mean(tf.square(decoder(features) - x)))
    assert error[48] == pytest.approx(0.0, abs=1e-6)  # all components: nothing is lost
    assert 0 < error[4] < float(tf.math.reduce_variance(x))


def test_centres_get_hard_values_and_soft_gradients() -> None:
    tf = pytest.importorskip("tensorflow")
    from baselines.schemes.deepcod.encoder import quantise  # noqa: PLC0415

    x, centres = tf.Variable([0.1, 0.9, 2.6]), tf.Variable([0.0, 1.0, 3.0])
    with tf.GradientTape() as tape:
        sent = quantise(x, centres, 2.0)
        total = tf.reduce_sum(sent)
    assert sent.numpy().tolist() == [0.0, 1.0, 3.0]
    gradients = tape.gradient(total, [x, centres])
    assert all(float(tf.reduce_max(tf.abs(g))) > 0 for g in gradients)


def test_hierarchical_exits_or_sends_the_picture(tmp_path: Path, tiny: DataSet) -> None:
    scheme = Hierarchical()
    folder = scheme.train(options(tmp_path / "out", TINY_BLOCKS, epochs=1), Silent())
    d = load_description(folder)
    assert (d.graph, d.offload, d.local_logits_output, d.features_output, d.codec) == (True, "image", 0, -1, "jpeg")
    symbols, local = device_half(d, (folder / "device.tflite").read_bytes(), tiny.x_test)
    assert symbols is not None and local is not None
    assert symbols.shape == (len(tiny.x_test), 3072)
    assert not np.array_equal(symbols, tiny.x_test.reshape(len(symbols), -1))  # JPEG loses something
    found = accuracies(scheme, folder, tiny.x_test, tiny.y_test)
    left = exits(local, d.exit_threshold)
    remote = scheme.server(folder).infer_batch(symbols)
    right = np.argmax(np.where(left[:, None], local, remote), axis=1) == tiny.y_test
    assert found["combined"] == pytest.approx(right.mean(), abs=1e-5)
    assert found.get("exited", 0.0) == pytest.approx(left.mean(), abs=1e-5)


def test_the_threshold_costs_no_more_than_asked() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 4000).astype(np.uint8)
    lead = rng.uniform(0, 8, 4000).astype(np.float32)
    right = rng.random(4000) < np.exp(lead) / (np.exp(lead) + 3)  # right as often as it is sure
    local = np.zeros((4000, 4), np.float32)
    local[np.arange(4000), np.where(right, labels, (labels + 1) % 4)] = lead
    remote = rng.normal(0, 1, (4000, 4)).astype(np.float32)
    remote[np.arange(4000), labels] += 4
    never = np.mean(np.argmax(remote, axis=1) == labels)

    def accuracy(threshold: float) -> float:
        left = exits(local, threshold)
        return float(np.mean(np.argmax(np.where(left[:, None], local, remote), axis=1) == labels))

    tight, loose = choose_threshold(local, remote, labels, 0.01), choose_threshold(local, remote, labels, 0.1)
    assert loose < tight < 1.0
    assert accuracy(tight) >= never - 0.01
    assert accuracy(round(tight - 0.01, 2)) < never - 0.01
    hopeless = np.where(np.eye(4)[(labels + 1) % 4] > 0, 50.0, 0.0).astype(np.float32)
    assert choose_threshold(hopeless, remote, labels, 0.01) == NEVER
    assert not exits(local, NEVER).any()
    assert top_probability(np.array([[0.0, 0.0]], np.float32)).tolist() == [0.5]


def test_blocks_as_text() -> None:
    assert (parse("fused40/2x3").filters, parse("fused40/2x3").stride, parse("fused40/2x3").expand) == (40, 2, 3)
    for wrong in ("conv", "res8", "ir0", "conv24/3", "ir24x9", "conv24/2 ", ""):
        with pytest.raises(ValueError, match="is no block"):
            parse(wrong)
