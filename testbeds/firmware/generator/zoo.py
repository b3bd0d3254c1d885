"""Builds networks that others have timed on the STM32F746, and layers to compare kernels by; weights are random.

The architectures are those of MLPerf Tiny (Banbury et al., "MLPerf Tiny Benchmark", NeurIPS 2021 datasets and
benchmarks): image classification (ResNet-8) and visual wake words (MobileNetV1 with a width of 0.25 at 96x96).
"""

from __future__ import annotations

from collections.abc import Callable

from .compose import Composer
from .model import Model


def resnet8() -> Model:
    """Return ResNet-8 for 32x32x3: stages of 16, 32 and 64 filters, one residual block each; 12.5 M MACs."""
    c = Composer((32, 32, 3), seed=8)
    x = c.conv(c.model.inputs[0], 16, 3)
    for stage, filters in enumerate((16, 32, 64)):
        stride = 1 if stage == 0 else 2
        y = c.conv(x, filters, 3, stride)
        y = c.conv(y, filters, 3, activation="NONE")
        if stage:
            x = c.conv(x, filters, 1, stride, activation="NONE")
        x = c.add(x, y)
    x = c.average_pool(x, 8)
    x = c.reshape(x, (1, 64))
    return c.finish(c.softmax(c.dense(x, 10)))


def mobilenet_vww() -> Model:
    """Return MobileNetV1 with width 0.25 for 96x96x3 and two classes; 7.5 M MACs."""
    c = Composer((96, 96, 3), seed=96)
    x = c.conv(c.model.inputs[0], 8, 3, 2)
    plan = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)]
    for filters, stride in plan:
        x = c.conv(x, 0, 3, stride, depthwise=True)
        x = c.conv(x, filters, 1)
    x = c.average_pool(x, 3)
    x = c.reshape(x, (1, 256))
    return c.finish(c.softmax(c.dense(x, 2)))


def _conv(shape: tuple[int, int, int], filters: int, kernel: int, stride: int = 1) -> Callable[[], Model]:
    def build() -> Model:
        c = Composer(shape, seed=1)
        return c.finish(c.conv(c.model.inputs[0], filters, kernel, stride))

    return build


def _depthwise(shape: tuple[int, int, int], stride: int = 1) -> Callable[[], Model]:
    def build() -> Model:
        c = Composer(shape, seed=1)
        return c.finish(c.conv(c.model.inputs[0], 0, 3, stride, depthwise=True))

    return build


def _dense(inputs: int, outputs: int) -> Callable[[], Model]:
    def build() -> Model:
        c = Composer((1, 1, inputs), seed=1)
        return c.finish(c.dense(c.reshape(c.model.inputs[0], (1, inputs)), outputs))

    return build


def operators() -> Model:
    """Return operators without an inner product on 16x16x8 values, and an SVDF of 64 units on 512: one layer each."""
    c = Composer((16, 16, 8), seed=5, scale=0.03, zero_point=4)
    x = c.model.inputs[0]
    made = [c.activation(x, kind) for kind in ("LOGISTIC", "TANH", "HARD_SWISH")]
    made += [c.activation(x, "LEAKY_RELU", Alpha=0.1)]
    made += [c.pair("MUL", x, made[1]), c.pair("MUL", x, c.constant((8,), 0.01, 3)), c.pair("ADD", x, c.mean(x))]
    made += [c.pair("SUB", x, made[1]), c.pair("MUL", x, c.constant((), 0.01, 3))]
    made += [c.pool("MAX_POOL_2D", x, 2), c.pool("MAX_POOL_2D", x, 3, 2, same=True)]
    made += [c.same("REDUCE_MAX", [x, c.numbers(1, 2)], (1, 8), KeepDims=False)]
    made += [c.concatenation([x, c.reshape(x, (1, 16, 16, 8))], 3)]
    made += [c.resize(x, 32, 32), c.same("TILE", [x, c.numbers(1, 1, 2, 1)], (1, 16, 32, 8))]
    made += [c.same("TRANSPOSE", [x, c.numbers(0, 3, 1, 2)], (1, 8, 16, 16))]
    made += [c.same("SLICE", [x, c.numbers(0, 4, 4, 0), c.numbers(1, 8, 8, 8)], (1, 8, 8, 8))]
    flat = c.reshape(made[-1], (1, 512))
    return c.finish(*made, c.svdf(flat, 64, 1, 10))


# By name: the network, and the most cycles a MAC, line fills included, that are accepted.
KERNELS: dict[str, tuple[Callable[[], Model], float]] = {
    "conv 3x3x3 -> 16 @32x32": (_conv((32, 32, 3), 16, 3), 1.37),
    "conv 3x3x16 -> 24 s2 @16x16": (_conv((32, 32, 16), 24, 3, 2), 0.98),
    "conv 1x1x24 -> 32 @16x16": (_conv((16, 16, 24), 32, 1), 1.12),
    "depthwise 3x3x24 @16x16": (_depthwise((16, 16, 24)), 1.50),
    "depthwise 3x3x24 s2 @8x8": (_depthwise((16, 16, 24), 2), 2.40),
    "dense 1024 -> 10": (_dense(1024, 10), 0.90),
    "conv 3x3x16 -> 16 @32x32": (_conv((32, 32, 16), 16, 3), 0.85),
    "conv 3x3x32 -> 32 @16x16": (_conv((16, 16, 32), 32, 3), 0.85),
    "conv 3x3x64 -> 64 @8x8": (_conv((8, 8, 64), 64, 3), 0.85),
}
# By name: the network, the most milliseconds at 216 MHz, and times that others have published for this board.
NETWORKS: dict[str, tuple[Callable[[], Model], float, tuple[float, ...]]] = {
    "resnet8": (resnet8, 55.0, (61.6, 62.9)),
    "mobilenet_vww": (mobilenet_vww, 38.0, (34.1, 57.2)),
}
