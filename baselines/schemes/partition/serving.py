"""Serves the server's half of a split: the blocks that are left."""

from __future__ import annotations

from pathlib import Path

from baselines.export.serving import NetworkServer, served
from baselines.networks import chain
from baselines.networks.block_text import parse
from baselines.networks.store import NetworkSpec, read_network
from harness.contracts.errors import BenchError


def load_tail(path: Path, split: int, classes: int, table: list[float]) -> NetworkServer:
    """Load the whole network and keep what comes after `split` blocks; `table` is the value of each symbol.

    Raises:
        BenchError: the file is damaged, of another network, or too short for the split.
    """
    spec, weights = read_network(path)
    if spec.network != "chain" or not 0 < split < len(spec.blocks) or spec.classes != classes:
        raise BenchError(
            f"{path} is a {spec.network} of {len(spec.blocks)} blocks and {spec.classes} classes; the description says "
            f"split {split} and {classes}",
            cure="restore all files of one training",
        )
    on_device = tuple(f"b{i}_" for i in range(split))
    return served(
        path,
        lambda x, blocks: chain.tail(x, classes, spec.blocks, split, blocks),
        features_shape(spec, split),
        classes,
        {name: value for name, value in weights.items() if not name.startswith(on_device)},
        table,
    )


def features_shape(spec: NetworkSpec, split: int) -> tuple[int, int, int]:
    """Return height, width and channels after `split` blocks."""
    height, width, channels = spec.input_shape
    for text in spec.blocks[:split]:
        block = parse(text)
        height, width = -(-height // block.stride), -(-width // block.stride)
        channels = block.filters or channels
    return height, width, channels
