"""Reads the notation of small networks: a stem and stages as short texts that fit a recipe, a table and a command line.

`conv 32 s2 d1` is a convolution to 32 channels with stride 2, then one residual block; `inverted 48 s2 d2 e4` is two
inverted residuals (MobileNetV2's block, Sandler et al. 2018, section 3.3) to 48 channels, expansion 4, the first with
stride 2. s defaults to 1, d to 0 for conv and 1 for inverted, e to 4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_STAGE = re.compile(r"(conv|inverted) (\d{1,4})(?: s([12]))?(?: d(\d{1,2}))?(?: e(\d{1,2}))?")


@dataclass(frozen=True)
class Stage:
    """Holds one stage.

    `depth` is the number of residual blocks after the first convolution (conv), or of all blocks (inverted).
    """

    kind: Literal["conv", "inverted"]
    width: int
    stride: int = 1
    depth: int = 0
    expand: int = 0

    def __str__(self) -> str:
        tail = f" e{self.expand}" if self.kind == "inverted" else ""
        return f"{self.kind} {self.width} s{self.stride} d{self.depth}{tail}"


def parse_stage(text: str) -> Stage:
    """Read a stage from its text.

    Raises:
        ValueError: the text describes no stage.
    """
    found = _STAGE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{text}' is no stage such as 'conv 32 s2 d1' or 'inverted 48 s2 d2 e4'")
    inverted = found[1] == "inverted"
    width, stride = int(found[2]), int(found[3] or 1)
    depth, expand = int(found[4] or inverted), int(found[5] or 4)
    if width < 1 or (inverted and (depth < 1 or expand < 1)) or (found[5] and not inverted):
        raise ValueError(f"stage '{text}': a width of 1 or more; e belongs to inverted, which has d and e of 1 or more")
    return Stage("inverted" if inverted else "conv", width, stride, depth, expand if inverted else 0)
