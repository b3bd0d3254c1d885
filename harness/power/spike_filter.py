"""Filters the PPK2's spikes at a change of range: the few samples after one are replaced by a running average.

As in the public description of Nordic's application: an exponential average (weight 0.18; 0.06 in range 4) over all
samples, and the first samples in a new range take its value; the first two in range 4 are left out of the averages
(pc-nrfconnect-ppk 01ae85c1, serialDevice.ts, getAdcResult). It smooths what the switch of shunts makes up; a true
edge is blurred over the same 30 us. Lost samples are left out of the average.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

WEIGHT = 0.18
WEIGHT_RANGE_4 = 0.06
SAMPLES = 3
_BLOCK = 64  # powers of (1 - weight) over a block stay far from underflow

Floats = npt.NDArray[np.float64]


def filter_spikes(current_a: Floats, ranges: npt.NDArray[np.integer], samples: int = SAMPLES) -> Floats:
    """Return `current_a` (float64 [n], no NaN) with the `samples` values after each change of `ranges` ([n])
    averaged.
    """
    changes = np.flatnonzero(np.diff(ranges)) + 1
    if not len(changes):
        return current_a
    after = (changes[:, None] + np.arange(samples)).reshape(-1)
    after = np.unique(after[after < len(current_a)])
    into_4 = changes[ranges[changes] == 4]
    second = into_4[into_4 + 1 < len(ranges)] + 1
    counted = np.ones(len(current_a), dtype=np.bool_)
    counted[into_4] = False
    counted[second[ranges[second] == 4]] = False
    at = np.cumsum(counted) - 1  # the first sample is no change: it counts
    slow = running_average(current_a[counted], WEIGHT_RANGE_4)[at]
    fast = running_average(current_a[counted], WEIGHT)[at]
    filtered = current_a.copy()
    filtered[after] = np.where(ranges[after] == 4, slow[after], fast[after])
    return filtered


def running_average(values: Floats, weight: float) -> Floats:
    """Return y[0] = x[0]; y[k] = weight * x[k] + (1 - weight) * y[k - 1], computed a block of samples at a time."""
    if not len(values):
        return values.copy()
    keep = 1.0 - weight
    blocks = -(-len(values) // _BLOCK)
    padded = np.zeros(blocks * _BLOCK)
    padded[: len(values)] = values
    powers = keep ** np.arange(1, _BLOCK + 1)
    within = np.cumsum(padded.reshape(blocks, _BLOCK) * (weight / powers), axis=1) * powers
    carry = np.empty(blocks)
    last = float(values[0])  # as if the first value had always been there
    for n in range(blocks):
        carry[n] = last
        last = float(within[n, -1] + powers[-1] * last)
    averaged: Floats = (within + carry[:, None] * powers).reshape(-1)[: len(values)]
    return averaged
