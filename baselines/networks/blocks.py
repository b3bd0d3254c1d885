"""Builds the operations of `structure` as Keras layers, with their batch normalisation or with it folded away.

A block named `n` holds the layers `n_conv` (or `n_depth`) and, unless folded, `n_bn`; `folding.fold` relies on that.
Importing this module imports Keras.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import keras

from baselines.networks.normalisation import Normalisation
from baselines.networks.pointwise import Pointwise
from baselines.networks.processor import multiplies_bfloat16
from baselines.networks.structure import Structure, Tensor

BN_MOMENTUM = 0.97  # a compact training has few hundred steps an epoch: Keras' 0.99 would lag behind


def computed_in(name: str) -> str:
    """Return the type that a recipe's precision means here: `auto` is bfloat16 where the processor multiplies it."""
    if name == "auto":
        return "bfloat16" if multiplies_bfloat16() else "float32"
    return name


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Let networks built inside compute in `name`; weights and classifiers are always float32.

    Args:
        name: float32, bfloat16, or auto: bfloat16 where the processor multiplies it itself.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if computed_in(name) == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@dataclass(frozen=True)
class Blocks(Structure):
    """Builds blocks; `folded` stands for convolutions with a bias instead of batch normalisation (for export and
    serving).

    `logit_norm` asks for a normalisation of the logits while training.
    """

    folded: bool = False
    logit_norm: bool = False

    def _finish(self, x: Tensor, name: str, act: str | None) -> Tensor:
        if not self.folded:
            x = Normalisation(momentum=BN_MOMENTUM, name=f"{name}_bn")(x)
        if act == "relu":
            return keras.layers.ReLU(name=f"{name}_relu")(x)
        if act == "relu6":
            return keras.layers.ReLU(6.0, name=f"{name}_relu")(x)
        return x

    def conv(
        self, x: Tensor, filters: int, *, name: str, kernel: int = 3, stride: int = 1, act: str | None = "relu"
    ) -> Tensor:
        """Build convolution, normalisation and activation.

        It turns [n, h, w, c] into [n, ceil(h / stride), ceil(w / stride), filters].
        """
        x = keras.layers.Conv2D(
            filters,
            kernel,
            stride,
            "same",
            use_bias=self.folded,
            kernel_initializer="he_normal",
            name=f"{name}_conv",
        )(x)
        return self._finish(x, name, act)

    def depthwise(self, x: Tensor, *, name: str, kernel: int = 3, stride: int = 1, act: str | None = "relu6") -> Tensor:
        """Build depthwise convolution, normalisation and activation."""
        x = keras.layers.DepthwiseConv2D(
            kernel, stride, "same", use_bias=self.folded, depthwise_initializer="he_normal", name=f"{name}_depth"
        )(x)
        return self._finish(x, name, act)

    def pointwise(self, x: Tensor, filters: int, *, name: str, act: str | None = "relu6") -> Tensor:
        """Build `conv` of kernel 1 as a matrix product: only for what the server runs, as no device's kernel computes
        it.
        """
        x = Pointwise(filters, use_bias=self.folded, kernel_initializer="he_normal", name=f"{name}_conv")(x)
        return self._finish(x, name, act)

    def plain(self, x: Tensor, filters: int, *, name: str, kernel: int, zeros: bool = False) -> Tensor:
        more = {"kernel_initializer": "zeros"} if zeros else {}
        return keras.layers.Conv2D(filters, kernel, padding="same", dtype="float32", name=f"{name}_conv", **more)(x)

    def add(self, x: Tensor, y: Tensor, *, name: str, exact: bool = False) -> Tensor:
        return keras.layers.Add(name=name, **({"dtype": "float32"} if exact else {}))([x, y])

    def relu6(self, x: Tensor, *, name: str) -> Tensor:
        return keras.layers.ReLU(6.0, name=name)(x)

    def spread(self, x: Tensor, factor: int, *, name: str) -> Tensor:
        height, width, channels = int(x.shape[1]), int(x.shape[2]), int(x.shape[3]) // factor**2
        x = keras.layers.Reshape((height, width, factor, factor, channels), name=f"{name}_split")(x)
        x = keras.layers.Permute((1, 3, 2, 4, 5), name=f"{name}_order")(x)
        return keras.layers.Reshape((factor * height, factor * width, channels), name=f"{name}_shape")(x)

    def classifier(self, x: Tensor, classes: int, *, name: str = "head", norm: bool = False) -> Tensor:
        x = keras.layers.GlobalAveragePooling2D(name=f"{name}_pool", dtype="float32")(x)
        x = keras.layers.Dense(classes, name=f"{name}_dense", dtype="float32")(x)
        if norm and self.logit_norm and not self.folded:
            x = keras.layers.BatchNormalization(momentum=BN_MOMENTUM, name=f"{name}_bn", dtype="float32")(x)
        return x
