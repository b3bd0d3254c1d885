"""Computes networks with NumPy: the convolutions are matrix products over the patches of a map.

Padding is `same` as TensorFlow has it: half of what lacks before, the rest behind.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from baselines.networks.folding import Weights
from baselines.networks.structure import Structure

Floats = npt.NDArray[np.float32]


def use_one_thread() -> None:
    """Let NumPy's matrix products run on one thread from now on, so that no result depends on the number of cores."""
    threadpool_limits(limits=1, user_api="blas")


class Arrays(Structure):
    """Computes with folded weights, `layer/kernel` and `layer/bias`.

    Args:
        weights: float32, as a network file has them. They are checked where they are used first, see `unused`.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._matrices: dict[str, tuple[Floats, Floats]] = {}

    def unused(self) -> list[str]:
        """Return the arrays that no operation has asked for yet."""
        asked = {f"{name}/{part}" for name in self._matrices for part in ("kernel", "bias")}
        return sorted(self._weights.keys() - asked)

    def conv(
        self, x: Floats, filters: int, *, name: str, kernel: int = 3, stride: int = 1, act: str | None = "relu"
    ) -> Floats:
        depth = x.shape[-1]
        matrix, bias = self._of(f"{name}_conv", (kernel, kernel, depth, filters), (kernel * kernel * depth, filters))
        if kernel == stride == 1:
            out, (height, width) = x.reshape(-1, depth) @ matrix, x.shape[1:3]
        else:
            patches = _patches(x, kernel, stride)
            height, width = patches.shape[1:3]
            out = patches.reshape(-1, kernel * kernel * depth) @ matrix
        out += bias
        return _activated(out, act).reshape(len(x), height, width, filters)

    def depthwise(self, x: Floats, *, name: str, kernel: int = 3, stride: int = 1, act: str | None = "relu6") -> Floats:
        depth = x.shape[-1]
        matrix, bias = self._of(f"{name}_depth", (kernel, kernel, depth, 1), (kernel, kernel, depth))
        patches = _patches(x, kernel, stride)
        height, width = patches.shape[1:3]
        shaped = patches.reshape(len(x), height, width, kernel, kernel, depth)
        out = np.empty((len(x), height, width, depth), np.float32)
        out[:] = bias
        for row in range(kernel):
            for column in range(kernel):
                out += shaped[:, :, :, row, column] * matrix[row, column]
        return _activated(out, act)

    def pointwise(self, x: Floats, filters: int, *, name: str, act: str | None = "relu6") -> Floats:
        return self.conv(x, filters, name=name, kernel=1, act=act)

    def plain(self, x: Floats, filters: int, *, name: str, kernel: int, zeros: bool = False) -> Floats:
        return self.conv(x, filters, name=name, kernel=kernel, act=None)

    def add(self, x: Floats, y: Floats, *, name: str, exact: bool = False) -> Floats:
        return x + y

    def relu6(self, x: Floats, *, name: str) -> Floats:
        return _activated(x.copy(), "relu6")

    def spread(self, x: Floats, factor: int, *, name: str) -> Floats:
        n, height, width, deep = x.shape
        apart = x.reshape(n, height, width, factor, factor, deep // factor**2).transpose(0, 1, 3, 2, 4, 5)
        return apart.reshape(n, factor * height, factor * width, deep // factor**2)

    def classifier(self, x: Floats, classes: int, *, name: str = "head", norm: bool = False) -> Floats:
        matrix, bias = self._of(f"{name}_dense", (x.shape[-1], classes), (x.shape[-1], classes))
        pooled: Floats = x.mean(axis=(1, 2), dtype=np.float32)
        return pooled @ matrix + bias

    def _of(self, layer: str, shape: tuple[int, ...], flat: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Return the kernel of `layer` in the shape `flat`, and its bias. Raises ValueError when they do not fit."""
        if layer not in self._matrices:
            bias_shape = flat[-1:]
            for part, wanted in (("kernel", shape), ("bias", bias_shape)):
                value = self._weights.get(f"{layer}/{part}")
                if value is None:
                    raise ValueError(f"{layer}/{part} is missing")
                if value.shape != wanted:
                    raise ValueError(f"{layer}/{part} has shape {value.shape}, the network wants {wanted}")
                if not np.isfinite(value).all():
                    raise ValueError(f"{layer}/{part} holds values that are not finite")
            kernel, bias = self._weights[f"{layer}/kernel"], self._weights[f"{layer}/bias"]
            self._matrices[layer] = np.ascontiguousarray(kernel.reshape(flat)), bias
        return self._matrices[layer]


def _patches(x: Floats, kernel: int, stride: int) -> Floats:
    """Return what a convolution sees at each place: [n, h, w, c] -> [n, h', w', kernel, kernel * c]."""
    n, height, width, depth = x.shape
    rows, columns = -(-height // stride), -(-width // stride)
    lacks = [max((out - 1) * stride + kernel - size, 0) for out, size in ((rows, height), (columns, width))]
    if any(lacks):
        top, left = lacks[0] // 2, lacks[1] // 2
        padded = np.zeros((n, height + lacks[0], width + lacks[1], depth), np.float32)
        padded[:, top : top + height, left : left + width] = x
        x = padded
    x = np.ascontiguousarray(x)
    a, b, c, d = x.strides
    # The pixels of a patch's row lie side by side, so that a row is copied in one piece.
    view = np.lib.stride_tricks.as_strided(
        x, (n, rows, columns, kernel, kernel * depth), (a, b * stride, c * stride, b, d), writeable=False
    )
    return np.ascontiguousarray(view)


def _activated(x: Floats, act: str | None) -> Floats:
    """Return x with the activation applied in place."""
    if act is not None:
        np.maximum(x, np.float32(0), out=x)
    if act == "relu6":
        np.minimum(x, np.float32(6), out=x)
    return x
