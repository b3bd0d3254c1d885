"""Network files: what a network is and its folded weights in float16, in one .npz."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines.atomic import replacing
from baselines.networks import mobilenet, residual
from baselines.networks.folding import Weights, assign
from harness.contracts.errors import BenchError

FORMAT = 1
_BUILDERS = {
    "residual_body": residual.body_model,
    "residual_picture": residual.picture_model,
    "mobilenet_body": mobilenet.body_model,
    "mobilenet_picture": mobilenet.picture_model,
}


@dataclass(frozen=True)
class NetworkSpec:
    """A network by name and size: enough to build it again. `input_shape` is [h, w, c], values as the builder says."""

    network: str
    input_shape: tuple[int, int, int]
    classes: int
    widths: tuple[int, ...]

    @property
    def said(self) -> str:
        """In words, for one line."""
        size = "x".join(map(str, self.input_shape))
        return f"a {self.network} for {size} and {self.classes} classes, widths {list(self.widths)}"

    def build(self, *, folded: bool, logit_norm: bool = False) -> Any:
        """The Keras model, weights at their initial values."""
        return _BUILDERS[self.network](
            self.input_shape, self.classes, self.widths, folded=folded, logit_norm=logit_norm
        )


def save_network(path: Path, spec: NetworkSpec, weights: Weights) -> None:
    """Write a network file, atomically and byte for byte the same for the same weights.

    Raises:
        BenchError: the file can't be written.
    """
    meta = json.dumps({"format": FORMAT, **asdict(spec)}, sort_keys=True).encode()
    arrays: dict[str, Any] = {name: value.astype(np.float16) for name, value in sorted(weights.items())}
    with replacing(path, "--out") as f:
        np.savez(f, meta=np.frombuffer(meta, dtype=np.uint8), **arrays)  # fixed zip dates: reproducible bytes


def load_network(path: Path, *, expect: NetworkSpec | None = None) -> tuple[NetworkSpec, Any]:
    """Read a network file as its spec and a folded Keras model with those weights.

    Raises:
        BenchError: the file is missing, damaged, of an unknown network, or of another one than `expect`.
    """
    cure = "restore the weights, or train them: python -m harness.train"
    try:
        with np.load(path, allow_pickle=False) as z:
            meta = json.loads(z["meta"].tobytes())
            weights: Weights = {name: z[name].astype(np.float32) for name in z.files if name != "meta"}
        if meta.pop("format") != FORMAT or meta["network"] not in _BUILDERS:
            raise ValueError("a format or network that this version does not know")
        spec = NetworkSpec(
            str(meta["network"]), _shape(meta["input_shape"]), int(meta["classes"]), tuple(map(int, meta["widths"]))
        )
    except (OSError, EOFError, KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as e:
        raise BenchError(f"{path} is missing or no network file ({e})", cure=cure) from e
    if expect is not None and spec != expect:
        raise BenchError(f"{path} holds {spec.said}, wanted is {expect.said}", cure=cure)
    try:
        model = spec.build(folded=True)
        assign(model, weights)
    except ValueError as e:
        raise BenchError(f"{path} does not hold the weights of its network ({e})", cure=cure) from e
    model.trainable = False
    return spec, model


def _shape(value: Any) -> tuple[int, int, int]:
    height, width, channels = (int(v) for v in value)
    if not all(1 <= v <= 4096 for v in (height, width, channels)):
        raise ValueError("input shape out of range")
    return height, width, channels
