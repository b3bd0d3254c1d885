"""Defines the settings of partition's training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from baselines.networks.block_text import BLOCK, MOST_BLOCKS, SERVER_ONLY, parse
from baselines.recipes.recipe import ReferenceRecipe, SchemeRecipe, Widths


class PartitionRecipe(SchemeRecipe):
    """Says how one training serves every split: an exit is trained at each, all with the whole network.

    The method is that of SPINN, section 4.1.

    `splits` are numbers of blocks on the device; `split` is the one that the scheme runs with by default.
    """

    blocks: tuple[Annotated[str, Field(pattern=BLOCK)], ...] = Field(min_length=2, max_length=MOST_BLOCKS)
    splits: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    split: int = Field(ge=1)
    start: Literal["reference", "random"] = "reference"  # where shapes allow (start.py)
    exit_widths: Widths = (48, 64)
    exit_weight: float = Field(default=0.3, ge=0)  # weighs each exit's loss against the whole network's
    exit_distillation: float = Field(default=0.5, ge=0, le=1)  # exits learn from the whole network's logits too
    distillation_temperature: float = Field(default=3.0, gt=0)
    threshold: Annotated[float, Field(ge=0, le=2)] | Literal["validation"] = "validation"
    threshold_loss: float = Field(default=0.01, ge=0, lt=1)  # what the threshold may cost on validation
    codec: Literal["stored", "lzw", "shuffle"] = "shuffle"
    reference: ReferenceRecipe

    @model_validator(mode="after")
    def _consistent(self) -> PartitionRecipe:
        if list(self.splits) != sorted(set(self.splits)) or self.splits[-1] >= len(self.blocks):
            raise ValueError("splits must ascend and leave a block for the server")
        if self.split not in self.splits:
            raise ValueError("split must be one of splits")
        if any(parse(block).kind in SERVER_ONLY for block in self.blocks[: self.splits[-1]]):
            raise ValueError("wide and res blocks are for the server, behind the last split")
        return self
