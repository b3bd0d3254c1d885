"""Reads the blocks of a network from text.

A block is `KIND[FILTERS][/STRIDE][xEXPANSION]`: `conv24/2` is a 3x3 convolution, `ir40x3` is MobileNetV2's inverted
residual (Sandler et al. 2018, section 3.3), and `fused40/2x3` is the same with its first two convolutions as one 3x3
convolution (Tan & Le 2021, section 3.2). They end in ReLU6, so that whatever is sent there is small, sparse and never
negative.
Two are for the server alone: `wide192/2`, a 3x3 convolution with ReLU, and `res`, a residual pair at the same width.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BLOCK = r"^(conv|wide|ir|fused)[1-9][0-9]{0,2}(/2)?(x[2-8])?$|^res$"
SERVER_ONLY = ("wide", "res")
_PARTS = re.compile(r"(conv|wide|ir|fused|res)(\d*)(?:/(\d))?(?:x(\d))?")
MOST_BLOCKS = 64


@dataclass(frozen=True)
class Block:
    """Holds one block as it was read."""

    kind: str
    filters: int
    stride: int
    expand: int


def parse(text: str) -> Block:
    """Read a block.

    Raises:
        ValueError: the text describes no block.
    """
    if not re.match(BLOCK, text):
        raise ValueError(f"{text!r} is no block")
    kind, filters, stride, expand = re.fullmatch(_PARTS, text).groups()  # type: ignore[union-attr]
    return Block(kind, int(filters or 0), int(stride or 1), int(expand or 1))
