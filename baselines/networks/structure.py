"""Defines what networks are written in: a few operations, and the blocks that are made of them.

A network is a function of a tensor and of these operations. `blocks.Blocks` builds a Keras model with it, for training
and export; `arrays.Arrays` computes it with NumPy, for the edge server. So what a network is stands in one place, and
measuring needs no Keras.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

Tensor = Any  # of Keras, or an array [n, h, w, c]


class Structure(ABC):
    """Offers the operations on [n, h, w, c]; a layer's weights are found by its name."""

    @abstractmethod
    def conv(
        self, x: Tensor, filters: int, *, name: str, kernel: int = 3, stride: int = 1, act: str | None = "relu"
    ) -> Tensor:
        """Convolve, normalise and activate: [n, h, w, c] -> [n, ceil(h / stride), ceil(w / stride), filters]."""

    @abstractmethod
    def depthwise(self, x: Tensor, *, name: str, kernel: int = 3, stride: int = 1, act: str | None = "relu6") -> Tensor:
        """Convolve each channel alone, normalise and activate."""

    @abstractmethod
    def pointwise(self, x: Tensor, filters: int, *, name: str, act: str | None = "relu6") -> Tensor:
        """Compute `conv` of kernel 1 as a matrix product: only for what the server runs, as no device's kernel does."""

    @abstractmethod
    def plain(self, x: Tensor, filters: int, *, name: str, kernel: int, zeros: bool = False) -> Tensor:
        """Convolve with a bias, in float32 and without normalisation; `zeros` starts it at zero."""

    @abstractmethod
    def add(self, x: Tensor, y: Tensor, *, name: str, exact: bool = False) -> Tensor:
        """Return the sum; `exact` asks for float32 whatever the precision of the features."""

    @abstractmethod
    def relu6(self, x: Tensor, *, name: str) -> Tensor:
        """Limit to 0..6."""

    @abstractmethod
    def spread(self, x: Tensor, factor: int, *, name: str) -> Tensor:
        """Rearrange [n, h, w, factor * factor * c] to [n, factor * h, factor * w, c]; channels are row, column, c."""

    @abstractmethod
    def classifier(self, x: Tensor, classes: int, *, name: str = "head", norm: bool = False) -> Tensor:
        """Turn [n, h, w, c] into float32 logits [n, classes]: the mean over height and width, and a dense layer.

        `norm` asks for a normalisation of the logits while training.
        """

    def residual(self, x: Tensor, *, name: str) -> Tensor:
        """Return x + conv(conv(x)); ReLU is left to the convolutions inside (pre-added form)."""
        y = self.conv(x, x.shape[-1], name=f"{name}_a")
        y = self.conv(y, x.shape[-1], name=f"{name}_b")
        return self.add(x, y, name=f"{name}_add")

    def inverted_residual(self, x: Tensor, filters: int, *, expand: int, stride: int, name: str) -> Tensor:
        """Build MobileNetV2's block (Sandler et al. 2018, section 3.3)."""
        width = x.shape[-1]
        y = self.conv(x, width * expand, kernel=1, act="relu6", name=f"{name}_expand") if expand > 1 else x
        y = self.depthwise(y, stride=stride, name=f"{name}_mid")
        y = self.conv(y, filters, kernel=1, act=None, name=f"{name}_project")
        return self.add(x, y, name=f"{name}_add") if stride == 1 and width == filters else y

    def mobile(
        self, x: Tensor, filters: int, *, expand: int, name: str, kernel: int = 3, stride: int = 1, of: int = 0
    ) -> Tensor:
        """Build `inverted_residual` for the server: kernels of any size, and 1x1 convolutions as matrix products.

        `expand` multiplies `of` channels, where that is not as many as `x` has.
        """
        width = x.shape[-1]
        y = self.pointwise(x, (of or width) * expand, name=f"{name}_expand") if expand > 1 else x
        y = self.depthwise(y, kernel=kernel, stride=stride, name=f"{name}_mid")
        y = self.pointwise(y, filters, act=None, name=f"{name}_project")
        return self.add(x, y, name=f"{name}_add") if stride == 1 and width == filters else y
