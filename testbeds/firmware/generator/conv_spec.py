"""Defines what a convolution is, and what the code of its inner part needs of its plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .quant import Requantizer
from .shapes import Window


@dataclass(frozen=True)
class ConvSpec:
    """Describes a convolution in the generator's terms.

    `weights` are int8 [out, kh, kw, in]; `bias` is int32 [out], the input's zero point not yet folded in.
    """

    window: Window
    weights: np.ndarray
    bias: np.ndarray
    requantizer: Requantizer
    input_zero: int
    low: int
    high: int


class PlannedConv(Protocol):
    """Describes a convolution whose band, rows and unrolling are planned (conv.py)."""

    spec: ConvSpec
    name: str
    window: Window
    flat: bool  # the band is one long row of pixels
    out_channels: int
    pitch: int  # bytes from one widened row to the next
    second: int  # bytes to the copy of a row that starts at an odd half
    segment_words: int
    unroll_words: int
    chunk_words: int
