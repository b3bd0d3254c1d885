"""Measures how fast this processor takes convolutions alone: what a training step can be held against."""

from __future__ import annotations

import statistics
import time

from keras import ops

from baselines.networks.blocks import computed_in
from baselines.training import backend


def convolutions_gflop_per_s(precision: str, *, batch: int = 128, repeats: int = 5) -> float:
    """Measure 3x3 convolutions of 128 channels on 16x16 maps alone, forwards, in `precision`; GFLOP a second."""
    dtype = computed_in(precision)
    x, kernel = ops.ones((batch, 16, 16, 128), dtype), ops.ones((3, 3, 128, 128), dtype)
    convolve = backend.compiled(lambda x: ops.sum(ops.cast(ops.conv(x, kernel, 1, "same"), "float32")))
    float(convolve(x))
    taken = []
    for _ in range(repeats):
        since = time.process_time()
        float(convolve(x))
        taken.append(time.process_time() - since)
    return 2.0 * batch * 16 * 16 * 128 * 9 * 128 / statistics.median(taken) / 1e9
