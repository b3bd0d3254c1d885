"""Serves the server's half of a split: the blocks that are left."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from baselines.export.serving import NetworkServer
from baselines.networks.block_text import parse
from baselines.networks.chain import tail_model
from baselines.networks.folding import assign, fold
from baselines.networks.quiet import start_tensorflow
from baselines.networks.store import NetworkSpec, load_network
from harness.contracts.errors import BenchError


def load_tail(path: Path, split: int, classes: int, table: list[float]) -> NetworkServer:
    """Load the whole network and keep what comes after `split` blocks; `table` is the value of each symbol.

    Raises:
        BenchError: the file is damaged, of another network, or too short for the split.
    """
    start_tensorflow(1)
    spec, whole = load_network(path)
    if spec.network != "chain" or not 0 < split < len(spec.blocks) or spec.classes != classes:
        raise BenchError(
            f"{path} is a {spec.network} of {len(spec.blocks)} blocks and {spec.classes} classes; the description says "
            f"split {split} and {classes}",
            cure="restore all files of one training",
        )
    shape = features_shape(spec, split)
    tail = tail_model(shape, classes, blocks=spec.blocks, split=split, folded=True)
    wanted = {layer.name for layer in tail.layers}
    assign(tail, {name: value for name, value in fold(whole).items() if name.partition("/")[0] in wanted})
    return NetworkServer(NetworkSpec("tail", shape, classes, ()), tail, np.asarray(table, dtype=np.float32))


def features_shape(spec: NetworkSpec, split: int) -> tuple[int, int, int]:
    """Return height, width and channels after `split` blocks."""
    height, width, channels = spec.input_shape
    for text in spec.blocks[:split]:
        block = parse(text)
        height, width = -(-height // block.stride), -(-width // block.stride)
        channels = block.filters or channels
    return height, width, channels
