"""Scales pictures bilinearly, to the same bytes on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]
_CHUNK = 512  # so many pictures are scaled at once: what lies between input and output is float32


def _weights(before: int, after: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return, for each output line, its two input lines and the share of the second.

    Lines are compared by the centres of their pixels, and the edges are repeated.
    """
    at = (np.arange(after) + 0.5) * (before / after) - 0.5
    low = np.floor(at)
    share = (at - low).astype(np.float32)
    first = np.clip(low, 0, before - 1).astype(np.intp)
    second = np.clip(low + 1, 0, before - 1).astype(np.intp)
    return first, second, share


def resized(x: UInt8, size: int) -> UInt8:
    """Scale uint8 [n, h, w, c] to uint8 [n, size, size, c], rounded to the nearest value.

    Pictures are left unchanged where `size` is 0 or their size already.

    The weights are those of `tf.image.resize` (half-pixel centres, no antialiasing).
    """
    if not size or x.shape[1:3] == (size, size):
        return x
    top, bottom, down = _weights(x.shape[1], size)
    left, right, across = _weights(x.shape[2], size)
    out = np.empty((len(x), size, size, x.shape[3]), np.uint8)
    down, across = down[:, None, None], across[:, None]
    for start in range(0, len(x), _CHUNK):
        part = x[start : start + _CHUNK].astype(np.float32)
        rows = part[:, top] * (1 - down) + part[:, bottom] * down
        scaled = rows[:, :, left] * (1 - across) + rows[:, :, right] * across
        out[start : start + _CHUNK] = np.floor(scaled + 0.5).astype(np.uint8)
    return out
