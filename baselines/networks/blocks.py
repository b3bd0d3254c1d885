"""Builds the blocks that networks are made of, each with its batch normalisation or with it folded away.

A block named `n` holds the layers `n_conv` (or `n_depth`) and, unless folded, `n_bn`; `folding.fold` relies on that.
Importing this module imports Keras.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from baselines.networks.normalisation import Normalisation
from baselines.networks.pointwise import Pointwise
from baselines.networks.processor import multiplies_bfloat16

Tensor = Any  # a Keras tensor

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
class Blocks:
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

    def residual(self, x: Tensor, *, name: str) -> Tensor:
        """Return x + conv(conv(x)); ReLU is left to the convolutions inside (pre-added form)."""
        y = self.conv(x, x.shape[-1], name=f"{name}_a")
        y = self.conv(y, x.shape[-1], name=f"{name}_b")
        return keras.layers.Add(name=f"{name}_add")([x, y])

    def inverted_residual(self, x: Tensor, filters: int, *, expand: int, stride: int, name: str) -> Tensor:
        """Build MobileNetV2's block (Sandler et al. 2018, section 3.3)."""
        width = x.shape[-1]
        y = self.conv(x, width * expand, kernel=1, act="relu6", name=f"{name}_expand") if expand > 1 else x
        y = self.depthwise(y, stride=stride, name=f"{name}_mid")
        y = self.conv(y, filters, kernel=1, act=None, name=f"{name}_project")
        return keras.layers.Add(name=f"{name}_add")([x, y]) if stride == 1 and width == filters else y

    def mobile(self, x: Tensor, filters: int, *, expand: int, name: str, kernel: int = 3, stride: int = 1) -> Tensor:
        """Build `inverted_residual` for the server: kernels of any size, and 1x1 convolutions as matrix products."""
        width = x.shape[-1]
        y = self.pointwise(x, width * expand, name=f"{name}_expand") if expand > 1 else x
        y = self.depthwise(y, kernel=kernel, stride=stride, name=f"{name}_mid")
        y = self.pointwise(y, filters, act=None, name=f"{name}_project")
        return keras.layers.Add(name=f"{name}_add")([x, y]) if stride == 1 and width == filters else y


def classifier(x: Tensor, classes: int, *, name: str = "head", norm: bool = False) -> Tensor:
    """Build the mean over height and width and a dense layer: [n, h, w, c] -> float32 logits [n, classes].

    `norm` adds a normalisation of the logits.
    """
    x = keras.layers.GlobalAveragePooling2D(name=f"{name}_pool", dtype="float32")(x)
    x = keras.layers.Dense(classes, name=f"{name}_dense", dtype="float32")(x)
    return keras.layers.BatchNormalization(momentum=BN_MOMENTUM, name=f"{name}_bn", dtype="float32")(x) if norm else x
