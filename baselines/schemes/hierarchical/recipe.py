"""Defines the settings of hierarchical inference."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baselines.networks.block_text import BLOCK, MOST_BLOCKS
from baselines.recipes.recipe import Adaptation, LocalDistillation, ReferenceRecipe, SchemeRecipe


class HierarchicalRecipe(SchemeRecipe):
    """Describes a chain of blocks (networks/chain.py) on the device and the reference network on the server."""

    blocks: tuple[Annotated[str, Field(pattern=BLOCK)], ...] = Field(min_length=1, max_length=MOST_BLOCKS)
    distillation: LocalDistillation = LocalDistillation()
    threshold: Annotated[float, Field(ge=0, le=2)] | Literal["validation"] = "validation"
    threshold_loss: float = Field(default=0.01, ge=0, lt=1)  # what the threshold may cost on validation
    codec: Literal["stored", "lzw", "png", "rice", "jpeg"] = "jpeg"
    jpeg_quality: int = Field(default=75, ge=1, le=100)
    jpeg_chroma: Literal["420", "444"] = "420"
    adapt: Adaptation = Adaptation()  # how the server's network is adapted
    reference: ReferenceRecipe

    @model_validator(mode="after")
    def _of_jpeg(self) -> Self:
        if self.adapt.epochs and self.codec != "jpeg":
            raise ValueError("adapt.epochs is for codec = jpeg")
        return self
