"""The edge server's networks, computed with NumPy, answer as the same networks in Keras do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from baselines.export.serving import NetworkServer, load_server
from baselines.networks.arrays import Arrays
from baselines.networks.store import NetworkSpec, load_network, read_network, save_network
from baselines.schemes.partition.serving import features_shape, load_tail
from harness.contracts.errors import BenchError

WEIGHTS = Path(__file__).resolve().parents[3] / "baselines" / "weights"
CHAIN = ("conv8/2", "ir8x2", "fused12/2x3", "ir12", "wide16/2", "res")
NETWORKS = [
    NetworkSpec("residual_body", (8, 8, 5), 7, (4, 6)),
    NetworkSpec("residual_picture", (17, 16, 3), 5, (8, 8)),
    NetworkSpec("residual64_body", (8, 8, 5), 7, (4, 6)),
    NetworkSpec("residual64_picture", (17, 16, 3), 5, (8, 8)),
    NetworkSpec("mobilenet_body", (8, 8, 6), 5, (4, 4, 8, 8, 8, 8, 8, 16)),
    NetworkSpec("mobilenet_picture", (24, 24, 3), 5, (4, 4, 8, 8, 8, 8, 8, 16)),
    NetworkSpec("lite0_body", (16, 16, 24), 5, (4, 8, 8, 8, 8, 16)),
    NetworkSpec("lite0_picture", (16, 16, 3), 5, (4, 8, 8, 8, 8, 16)),
    NetworkSpec("chain", (16, 16, 3), 6, (), CHAIN),
    NetworkSpec("deepcod", (4, 4, 6), 5, (4, 4, 8, 8)),
    NetworkSpec("deepcod64", (4, 4, 6), 5, (4, 4, 8, 8)),
]


@pytest.mark.slow
@pytest.mark.parametrize("spec", NETWORKS, ids=lambda spec: spec.network)
def test_every_network_is_the_same_function_as_in_keras(spec: NetworkSpec, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from baselines.networks.folding import fold  # noqa: PLC0415 - beside Keras

    rng = np.random.default_rng(0)
    model = spec.build(folded=True)
    for variable in model.variables:
        variable.assign(rng.normal(0, 0.3, variable.shape).astype(np.float32))
    save_network(tmp_path / "server.npz", spec, fold(model))
    _, model = load_network(tmp_path / "server.npz")
    _, weights = read_network(tmp_path / "server.npz")
    x = rng.uniform(0, 1, (5, *spec.input_shape)).astype(np.float32)
    theirs = np.asarray(model(x, training=False))
    ours = spec.forward(x, Arrays(weights))
    assert ours.dtype == np.float32
    assert np.abs(ours - theirs).max() <= 2e-5 * np.abs(theirs).max()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["agilenn", "deepcod", "full_offload"])
def test_shipped_weights_answer_as_in_keras(scheme: str) -> None:
    pytest.importorskip("tensorflow")
    path = WEIGHTS / "cifar10-compact" / scheme / "server.npz"
    spec, model = load_network(path)
    table = np.linspace(0, 1, 256).tolist()
    server = load_server(path, spec.input_shape, spec.classes, table)
    symbols = np.random.default_rng(1).integers(0, 256, (60, server.symbols), dtype=np.uint8)
    values = np.asarray(table, np.float32)[symbols].reshape(-1, *spec.input_shape)
    theirs = np.asarray(model(values, training=False))
    ours = server.infer_batch(symbols)
    assert np.abs(ours - theirs).max() <= 2e-5 * np.abs(theirs).max()
    assert np.array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))


def test_a_sample_alone_answers_as_in_a_batch() -> None:
    server = _server("cifar10-compact/agilenn")
    symbols = np.random.default_rng(2).integers(0, 4, (3, server.symbols), dtype=np.uint8)
    alone = np.stack([server.infer(one) for one in symbols])
    assert np.abs(server.infer_batch(symbols) - alone).max() <= 1e-5 * np.abs(alone).max()
    assert server.infer_batch(symbols[:0]).shape == (0, 10)


@pytest.mark.parametrize("split", [1, 3, 4])
def test_a_tail_behind_its_head_is_the_whole_chain(split: int) -> None:
    """The server's half, fed with what the blocks before it give, answers as the whole network."""
    from baselines.networks import chain  # noqa: PLC0415

    path = WEIGHTS / "cifar10-compact" / "partition" / "server.npz"
    spec, weights = read_network(path)
    table = np.linspace(0, 6, 256)
    server = load_tail(path, split, spec.classes, table.tolist())
    assert server.symbols == int(np.prod(features_shape(spec, split)))
    x = np.random.default_rng(3).uniform(0, 1, (2, *spec.input_shape)).astype(np.float32)
    features = chain.chain(x, spec.blocks[:split], Arrays(weights))[-1]
    assert features.shape[1:] == features_shape(spec, split)
    whole = spec.forward(x, Arrays(weights))
    symbols = np.round(features / 6 * 255).astype(np.uint8).reshape(2, -1)
    rest = spec.blocks[split:]
    exact = Arrays(weights).classifier(chain.chain(features, rest, Arrays(weights), split)[-1], spec.classes)
    assert np.allclose(exact, whole, atol=1e-4)
    assert np.abs(server.infer_batch(symbols) - whole).max() < 0.2 * np.abs(whole).max()  # 256 levels a value


def test_symbols_that_do_not_fit_are_refused() -> None:
    server = _server("cifar10-compact/agilenn")
    with pytest.raises(BenchError, match="the network wants"):
        server.infer(np.zeros(server.symbols - 1, np.uint8))
    with pytest.raises(BenchError, match="symbol 200 of 4"):
        server.infer(np.full(server.symbols, 200, np.uint8))


@pytest.mark.parametrize("damage", ["missing array", "left over", "other shape", "not finite", "widths"])
def test_weights_of_another_network_are_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "server.npz"
    spec, weights = read_network(WEIGHTS / "cifar10-compact" / "agilenn" / "server.npz")
    if damage == "missing array":
        weights.pop("stage0_conv/bias")
    elif damage == "left over":
        weights["stage9_conv/bias"] = np.zeros(3, np.float32)
    elif damage == "other shape":
        weights["stage0_conv/bias"] = np.zeros(3, np.float32)
    elif damage == "not finite":
        weights["stage0_conv/bias"] = np.full(48, np.nan, np.float32)
    else:
        spec = NetworkSpec("mobilenet_body", spec.input_shape, spec.classes, (4, 4))
    save_network(path, spec, weights)
    with pytest.raises(BenchError) as error:
        load_server(path, spec.input_shape, spec.classes, [0.0, 1.0, 2.0, 3.0])
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def _server(name: str) -> NetworkServer:
    path = WEIGHTS / name / "server.npz"
    spec, _ = read_network(path)
    return load_server(path, spec.input_shape, spec.classes, [0.0, 1.0, 2.0, 3.0])
