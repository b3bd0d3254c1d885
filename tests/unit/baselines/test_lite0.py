"""EfficientNet-Lite0 as a reference network starts as the published one, cut, scaled and folded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras

from baselines.networks import lite
from baselines.networks.folding import assign
from baselines.networks.store import NetworkSpec
from baselines.pretrained import lite0
from baselines.recipes.recipe import ReferenceRecipe
from baselines.training.reference import starting_network
from harness.contracts.errors import BenchError

pytestmark = pytest.mark.slow


def _scaled_by_two(x: np.ndarray) -> np.ndarray:
    """Bilinear, half-pixel centres, along the first axis."""
    before, after = np.concatenate([x[:1], x[:-1]]), np.concatenate([x[1:], x[-1:]])
    out = np.empty((2 * len(x), *x.shape[1:]))
    out[::2], out[1::2] = 0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after
    return out


def test_a_kernel_of_stride_one_stands_for_scaling_by_two_and_stride_two() -> None:
    rng = np.random.default_rng(3)
    picture, kernel = rng.random((8, 8, 3)), rng.standard_normal((3, 3, 3, 5)).astype(np.float32)
    large = _scaled_by_two(_scaled_by_two(picture).swapaxes(0, 1)).swapaxes(0, 1)
    small = lite0.upscaled_kernel(kernel)
    for i in range(1, 7):  # the border is padded with other values
        for j in range(1, 7):
            there = np.einsum("abi,abio->o", large[2 * i : 2 * i + 3, 2 * j : 2 * j + 3], kernel)
            here = np.einsum("abi,abio->o", picture[i - 1 : i + 2, j - 1 : j + 2], small)
            np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-5)


def test_the_started_network_is_the_published_one_where_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lite0, "SPREAD", 0.1)
    monkeypatch.setattr(lite0, "OFFSET", 3.0)
    spec = NetworkSpec("lite0_picture", (16, 16, 3), 4, (8, 8, 8, 8, 8, 16))
    model, rng = spec.build(folded=False), np.random.default_rng(1)
    tensors = _published(model, rng)
    pictures = rng.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    weights = lite0.starting_weights(tensors, model, pictures)
    x = pictures.astype(np.float32) / 255
    linear = keras.Model(model.input, model.get_layer("stem_two1_add").output)(x)
    kernel = tensors["_blocks.3._expand_conv.weight"][:, :, 0, 0].T
    norm = [tensors[f"_blocks.3._bn0.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    published = norm[0] * (np.asarray(linear) @ kernel - norm[2]) / np.sqrt(norm[3] + lite0.EPSILON) + norm[1]
    ours = keras.Model(model.input, model.get_layer("stage3_0_expand_bn").output)(x)
    np.testing.assert_allclose(ours, published, rtol=1e-2, atol=1e-2)
    folded = spec.build(folded=True)
    assign(folded, weights)
    np.testing.assert_allclose(folded(x), model(x, training=False), rtol=1e-3, atol=1e-3)


def _published(model: Any, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Tensors of `model`'s shapes under the published names."""
    names = {"stem_first": ("_conv_stem", "_bn0"), "leave": ("_conv_head", "_bn1")}
    blocks = ["stem_one", "stem_two0", "stem_two1"]
    blocks += [f"stage{stage}_{i}" for stage, (_, _, count) in enumerate(lite.STAGES, 3) for i in range(count)]
    for i, block in enumerate(blocks):
        for part, conv, bn in (("expand", "expand", 0), ("mid", "depthwise", 1), ("project", "project", 2)):
            names[f"{block}_{part}"] = (f"_blocks.{i}._{conv}_conv", f"_blocks.{i}._bn{bn}")
    found = {}
    for layer in model.layers:
        stem, _, kind = layer.name.rpartition("_")
        if stem in names and kind in ("conv", "depth"):
            kernel = rng.standard_normal(layer.get_weights()[0].shape).astype(np.float32) * 0.2
            kernel = kernel.transpose(0, 1, 3, 2) if kind == "depth" else kernel
            found[f"{names[stem][0]}.weight"] = kernel.transpose(3, 2, 0, 1)
            channels = kernel.shape[-1]
            values = [1 + rng.random(channels), rng.random(channels), rng.standard_normal(channels) / 10]
            values.append(0.5 + rng.random(channels))
            parts = ("weight", "bias", "running_mean", "running_var")
            found |= {f"{names[stem][1]}.{p}": v.astype(np.float32) for p, v in zip(parts, values, strict=True)}
    return found


def test_a_start_that_does_not_fit_is_one_line() -> None:
    spec = NetworkSpec("residual_picture", (32, 32, 3), 4, (4, 4, 4))
    for more in ({"pretrained": "imagenet"}, {"normalisation": "folded"}):
        with pytest.raises(BenchError, match=r"normalisation = folded|pretrained = imagenet"):
            starting_network(ReferenceRecipe(epochs=1, **more), spec, samples=None)
