"""Starts a chain from weights, or as far as its shapes allow from the reference network: the stem, and the last blocks
with the head.

What lies between starts at random, but for residual blocks, which start as the identity.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from baselines.export.dequantise import folded_weights
from baselines.networks.block_text import parse
from baselines.networks.chain import head_model
from baselines.networks.folding import Weights, fold
from baselines.networks.store import NetworkSpec, load_network
from baselines.schemes.partition.recipe import PartitionRecipe
from baselines.schemes.partition.splits import split_folder
from baselines.training.augment import to_unit
from harness.contracts import reading
from harness.contracts.description import GRAPH, SERVER

START_SAMPLES = 512  # training pictures that the reference network's statistics are taken on


def start_from(model: Any, blocks: tuple[str, ...], reference: Any, spec: NetworkSpec, x: npt.NDArray[np.uint8]) -> int:
    """Copy what fits from the folded `reference` into the unfolded `model`; return the number of convolutions copied.

    Args:
        x: uint8 training pictures [n, h, w, 3].
    """
    pairs = [(f"{ours}_conv", f"{theirs}_conv") for ours, theirs in _pairs(blocks, len(spec.widths))]
    fitting = [
        (ours, theirs)
        for ours, theirs in pairs
        if model.get_layer(ours).kernel.shape == reference.get_layer(theirs).kernel.shape
    ]
    for (ours, theirs), output in zip(fitting, _outputs(reference, [name for _, name in fitting], x), strict=True):
        kernel, bias = reference.get_layer(theirs).get_weights()
        plain = np.asarray(output, dtype=np.float32) - bias
        mean, variance = plain.mean(axis=(0, 1, 2)), plain.var(axis=(0, 1, 2))
        bn = model.get_layer(ours.removesuffix("conv") + "bn")
        model.get_layer(ours).set_weights([kernel])
        bn.set_weights([np.sqrt(variance + bn.epsilon), mean + bias, mean, variance])
    head = reference.get_layer("head_dense")
    if model.get_layer("head_dense").kernel.shape == head.kernel.shape:
        model.get_layer("head_dense").set_weights(head.get_weights())
    for i, text in enumerate(blocks):
        if parse(text).kind in ("ir", "fused") and any(layer.name == f"b{i}_add" for layer in model.layers):
            bn = model.get_layer(f"b{i}_project_bn")
            _, *rest = bn.get_weights()
            bn.set_weights([np.zeros_like(rest[0]), *rest])
    return len(fitting)


def _outputs(reference: Any, names: list[str], x: npt.NDArray[np.uint8]) -> list[Any]:
    """Return what those layers of the reference network give; Keras builds no model of none."""
    if not names:
        return []
    outputs = keras.Model(reference.input, [reference.get_layer(name).output for name in names])(
        to_unit(x), training=False
    )
    return [outputs] if len(names) == 1 else outputs


def trained_weights(folder: Path, recipe: PartitionRecipe, shape: tuple[int, int, int], classes: int) -> Weights:
    """Return folded weights of the chain and its exits in `folder`: the server's trunk, the device's exits.

    Raises:
        BenchError: a file is missing, damaged or of another chain.
    """
    _, trunk = load_network(folder / SERVER, expect=NetworkSpec("chain", shape, classes, (), recipe.blocks))
    weights = fold(trunk)
    for split in recipe.splits:
        head = head_model(
            shape, classes, blocks=recipe.blocks, split=split, exit_widths=recipe.exit_widths, folded=True
        )
        own = folded_weights(reading.data(split_folder(folder, split) / GRAPH, "restore the weights"), head)
        weights |= {name: value for name, value in own.items() if name.startswith("exit")}
    return weights


def _pairs(blocks: tuple[str, ...], stages: int) -> list[tuple[str, str]]:
    """Return pairs of (our block, the reference network's) that may be the same.

    They are the first one, and from the end as long as kinds agree.
    """
    pairs = [("b0", "stem")] if parse(blocks[0]).kind == "conv" else []
    stage, i = stages - 1, len(blocks) - 1
    while i > 0 and stage >= 0 and parse(blocks[i]).kind == "res" and parse(blocks[i - 1]).kind == "wide":
        pairs += [(f"b{i}_{half}", f"stage{stage}_res_{half}") for half in "ab"]
        pairs.append((f"b{i - 1}", f"stage{stage}"))
        stage, i = stage - 1, i - 2
    return pairs
