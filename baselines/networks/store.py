"""Stores networks in files: what a network is and its folded weights in float16, in one .npz."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines.networks import block_text, chain, decoder, lite, lite64, mobilenet, residual, residual64
from baselines.networks.building import model
from baselines.networks.folding import Weights, assign
from baselines.networks.structure import Structure, Tensor
from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.files import replacing

FORMAT = 1
_CURE = "restore the weights, or train them: python -m harness.train"
_NETWORKS: dict[str, Callable[[Tensor, int, tuple[int, ...], Structure], Tensor]] = {
    "residual_body": residual.body,
    "residual_picture": residual.picture,
    "residual64_body": residual64.body,
    "residual64_picture": residual64.picture,
    "mobilenet_body": mobilenet.body,
    "mobilenet_picture": mobilenet.picture,
    "lite0_body": lite.body,
    "lite0_picture": lite.picture,
    "lite0_64_body": lite64.body,
    "lite0_64_picture": lite64.picture,
    "deepcod": decoder.decoded,
    "deepcod64": decoder.decoded64,
}
_CHAIN = "chain"  # whose size is in its blocks


@dataclass(frozen=True)
class NetworkSpec:
    """Names a network and its size: enough to build it again, or to compute it.

    `input_shape` is [h, w, c], with values as the network's function says.

    `blocks` is there for chains alone (networks/chain.py).
    """

    network: str
    input_shape: tuple[int, int, int]
    classes: int
    widths: tuple[int, ...]
    blocks: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """Describe the network in words that fit on one line."""
        size = "x".join(map(str, self.input_shape))
        return f"a {self.network} for {size} and {self.classes} classes, widths {list(self.widths)}"

    def build(self, *, folded: bool, logit_norm: bool = False) -> Any:
        """Build the Keras model, with its weights at their initial values."""
        name = self.network.rpartition("_")[2]
        return model(self.forward, self.input_shape, name, folded=folded, logit_norm=logit_norm)

    def forward(self, x: Tensor, blocks: Structure) -> Tensor:
        """Turn an input into logits by the operations of `blocks`: the network itself.

        Raises:
            ValueError: there is no network of these widths, or the weights in `blocks` are of another one.
        """
        if self.network == _CHAIN:
            return chain.whole(x, self.classes, self.blocks, blocks)
        return _NETWORKS[self.network](x, self.classes, self.widths, blocks)


def save_network(path: Path, spec: NetworkSpec, weights: Weights) -> None:
    """Write a network file, atomically and byte for byte the same for the same weights.

    Raises:
        BenchError: the file can't be written.
    """
    known = {key: value for key, value in asdict(spec).items() if key != "blocks" or value}
    meta = json.dumps({"format": FORMAT, **known}, sort_keys=True).encode()
    arrays: dict[str, Any] = {name: value.astype(np.float16) for name, value in sorted(weights.items())}
    with replacing(path, "--out") as f:
        np.savez(f, meta=np.frombuffer(meta, dtype=np.uint8), **arrays)  # fixed zip dates: reproducible bytes


def read_spec(path: Path) -> NetworkSpec:
    """Return what network a file holds. Raises what `load_network` raises."""
    return read_network(path)[0]


def load_network(path: Path, *, expect: NetworkSpec | None = None) -> tuple[NetworkSpec, Any]:
    """Read a network file as its spec and a folded Keras model with those weights.

    Raises:
        BenchError: the file is missing, damaged, of an unknown network, or of another one than `expect`.
    """
    spec, weights = read_network(path)
    if expect is not None and spec != expect:
        raise BenchError(f"{path} holds {spec.said}, wanted is {expect.said}", cure=_CURE)
    try:
        model = spec.build(folded=True)
        assign(model, weights)
    except ValueError as e:
        raise BenchError(f"{path} does not hold the weights of its network ({e})", cure=_CURE) from e
    model.trainable = False
    return spec, model


def read_network(path: Path) -> tuple[NetworkSpec, Weights]:
    """Read a network file as its spec and folded weights, float32, whose shapes are not looked at.

    Raises:
        BenchError: the file is missing, damaged or of an unknown network.
    """
    try:
        arrays = reading.npz_of(path, _CURE)
        meta = reading.parsed_json(arrays.pop("meta").tobytes())
        weights: Weights = {name: array.astype(np.float32) for name, array in arrays.items()}
        if meta.pop("format") != FORMAT or meta["network"] not in (*_NETWORKS, _CHAIN):
            raise ValueError("a format or network that this version does not know")
        widths, blocks = tuple(map(int, meta["widths"])), _blocks(meta)
        spec = NetworkSpec(str(meta["network"]), _shape(meta["input_shape"]), int(meta["classes"]), widths, blocks)
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as e:
        raise BenchError(f"{path} is missing or no network file ({e})", cure=_CURE) from e
    return spec, weights


def _blocks(meta: dict[str, Any]) -> tuple[str, ...]:
    blocks = tuple(str(block) for block in meta.get("blocks", ()))
    if (meta["network"] == _CHAIN) != bool(blocks) or len(blocks) > block_text.MOST_BLOCKS:
        raise ValueError("no blocks, or too many, or of another network")
    for block in blocks:
        block_text.parse(block)
    return blocks


def _shape(value: Any) -> tuple[int, int, int]:
    height, width, channels = (int(v) for v in value)
    if not all(1 <= v <= 4096 for v in (height, width, channels)):
        raise ValueError("input shape out of range")
    return height, width, channels
