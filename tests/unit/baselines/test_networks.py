"""Folding, unfolding, reordering and network files: the function of a network stays what it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from baselines.networks.folding import assign, fold, reorder_inputs, unfold  # noqa: E402
from baselines.networks.store import NetworkSpec, load_network, save_network  # noqa: E402
from harness.contracts.errors import BenchError  # noqa: E402

pytestmark = pytest.mark.slow

SPEC = NetworkSpec("residual_picture", (16, 16, 3), 5, (8, 8))
X = np.random.default_rng(0).uniform(0, 1, (6, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    """A network whose normalisation has statistics other than the initial ones."""
    keras.utils.set_random_seed(0)
    model = SPEC.build(folded=False)
    for _ in range(3):
        model(X, training=True)
    return model


@pytest.fixture(scope="module")
def folded(trained: keras.Model) -> keras.Model:
    model = SPEC.build(folded=True)
    assign(model, fold(trained))
    return model


def test_folded_network_is_the_same_function(trained: keras.Model, folded: keras.Model) -> None:
    assert np.asarray(folded(X)) == pytest.approx(np.asarray(trained(X, training=False)), abs=1e-4)


def test_depthwise_convolutions_fold_too() -> None:
    from baselines.networks.device import split_model  # noqa: PLC0415

    keras.utils.set_random_seed(0)
    size = {"channels": 6, "stride": 2, "k": 2, "local_widths": (4,)}
    model = split_model((16, 16, 3), 5, folded=False, **size)
    for _ in range(3):
        model(X, training=True)
    twin = split_model((16, 16, 3), 5, folded=True, **size)
    assign(twin, fold(model))
    for one, other in zip(model(X, training=False), twin(X), strict=True):
        assert np.asarray(other) == pytest.approx(np.asarray(one), abs=1e-4)


MOBILE = NetworkSpec("mobilenet_body", (8, 8, 6), 5, (4, 4, 8, 8, 8, 8, 8, 16))
MAPS = np.random.default_rng(1).uniform(0, 6, (6, 8, 8, 6)).astype(np.float32)


def test_mobilenet_folds_with_its_normalised_logits() -> None:
    keras.utils.set_random_seed(0)
    model = MOBILE.build(folded=False, logit_norm=True)
    for _ in range(3):
        model(MAPS, training=True)
    twin = MOBILE.build(folded=True, logit_norm=True)
    assign(twin, fold(model))
    assert np.asarray(twin(MAPS)) == pytest.approx(np.asarray(model(MAPS, training=False)), abs=1e-3)


def test_mobilenet_starts_from_its_last_channels_and_follows_their_order() -> None:
    keras.utils.set_random_seed(0)
    folded = MOBILE.build(folded=True)
    part = NetworkSpec("mobilenet_body", (8, 8, 4), 5, MOBILE.widths).build(folded=False)
    unfold(part, folded, MAPS)
    masked = MAPS.copy()
    masked[..., :2] = 0
    assert np.asarray(part(MAPS[..., 2:], training=False)) == pytest.approx(np.asarray(folded(masked)), abs=2e-2)
    before, order = np.asarray(folded(MAPS)), np.array([3, 0, 5, 1, 2, 4])
    reorder_inputs(folded, order)
    assert np.asarray(folded(MAPS[..., order])) == pytest.approx(before, abs=1e-4)


def test_wrong_number_of_widths_is_one_line(tmp_path: Path) -> None:
    save_network(tmp_path / "a.npz", NetworkSpec("mobilenet_body", (8, 8, 6), 5, (4, 4)), {})
    with pytest.raises(BenchError, match="widths") as error:
        load_network(tmp_path / "a.npz")
    assert "\n" not in str(error.value)


def test_unfolded_network_starts_as_the_same_function(folded: keras.Model) -> None:
    twin = SPEC.build(folded=False)
    unfold(twin, folded, X)
    expected = np.asarray(folded(X))
    assert np.asarray(twin(X, training=False)) == pytest.approx(expected, abs=1e-3)
    assert np.asarray(twin(X, training=True)) == pytest.approx(expected, abs=1e-3)


def test_file_round_trip_within_float16(tmp_path: Path, trained: keras.Model, folded: keras.Model) -> None:
    save_network(tmp_path / "a.npz", SPEC, fold(trained))
    save_network(tmp_path / "b.npz", SPEC, fold(trained))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    spec, model = load_network(tmp_path / "a.npz", expect=SPEC)
    assert spec == SPEC
    expected = np.asarray(folded(X))
    assert np.abs(np.asarray(model(X)) - expected).max() < 0.02 * np.abs(expected).max()


def test_another_network_is_refused(tmp_path: Path, trained: keras.Model) -> None:
    save_network(tmp_path / "a.npz", SPEC, fold(trained))
    with pytest.raises(BenchError, match="wanted is"):
        load_network(tmp_path / "a.npz", expect=NetworkSpec("residual_picture", (16, 16, 3), 5, (8, 9)))


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "missing array", "other shape", "not finite", "unknown"])
def test_damaged_files_are_one_line(tmp_path: Path, trained: keras.Model, damage: str) -> None:
    path = tmp_path / "server.npz"
    weights = fold(trained)
    spec = SPEC
    if damage == "missing array":
        weights.pop("stem_conv/bias")
    elif damage == "other shape":
        weights["stem_conv/bias"] = np.zeros(3, np.float32)
    elif damage == "not finite":
        weights["stem_conv/bias"] = np.full(24, np.nan, np.float32)
    elif damage == "unknown":
        spec = NetworkSpec("transformer", (16, 16, 3), 5, (8, 8))
    save_network(path, spec, weights)
    content = path.read_bytes()
    if damage in ("empty", "cut", "text"):
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "text": b"weights"}[damage])
    with pytest.raises(BenchError) as error:
        load_network(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"server\.npz"):
        load_network(tmp_path / "server.npz")


def test_reordered_channels_leave_the_reference_networks_answer() -> None:
    from baselines.networks.device import split_model  # noqa: PLC0415
    from baselines.schemes.agilenn.networks import reorder  # noqa: PLC0415

    keras.utils.set_random_seed(0)
    device = split_model((16, 16, 3), 5, channels=6, stride=2, k=2, local_widths=(), folded=False)
    device(X, training=True)
    body = NetworkSpec("residual_body", (8, 8, 6), 5, (8,)).build(folded=True)
    features, _ = device(X, training=False)
    before = np.asarray(body(features))
    order = np.array([4, 1, 0, 2, 3, 5])
    reorder(device, body, order)
    moved, _ = device(X, training=False)
    assert np.asarray(moved) == pytest.approx(np.asarray(features)[..., order], abs=1e-6)
    assert np.asarray(body(moved)) == pytest.approx(before, abs=1e-4)
