"""Defines the settings of DeepCOD's training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from baselines.recipes.recipe import ReferenceRecipe, SchemeRecipe, Widths


class DeepCODRecipe(SchemeRecipe):
    """Says how encoder, centres and decoder are trained against the frozen reference network (public code of DeepCOD).

    `channels` decides the bytes: a 4x4 patch of the picture becomes that many symbols. The `enlarged` encoder has a
    convolution of stride 2 for each of `encoder_widths` and one more to the channels; it is for size and cycles only.
    """

    encoder: Literal["public", "enlarged"] = "public"
    encoder_widths: Annotated[Widths, Field(min_length=1, max_length=1)] = (17,)
    channels: int = Field(default=12, ge=1, le=48)
    decoder: tuple[int, int] = (32, 16)  # channels of the two up-blocks; the public ones have 64 and 32
    centroids: int = Field(default=8, ge=2, le=64)
    sharpness: float = Field(default=2.0, gt=0)  # sharpness of the soft assignment, by mean distances of neighbours
    orthogonality: float = Field(default=1e-4, ge=0)
    picture_weight: float = Field(default=10.0, ge=0)  # weighs the mean squared error of the picture in -1..1
    logits_weight: float = Field(default=1.0, ge=0)  # weighs that of the reference network's logits
    classifier_clip: float = Field(
        default=1.0, gt=0
    )  # norm of the gradient that enters the decoder from the classifier
    classifier: Literal["frozen", "trained"] = "frozen"  # as published; `trained` lets it follow what the decoder gives
    labels_weight: float = Field(default=0.0, ge=0)  # weighs a cross-entropy on the labels
    beta_1: float = Field(default=0.9, ge=0, lt=1)
    beta_2: float = Field(default=0.99, ge=0, lt=1)
    codec: Literal["stored", "lzw", "shuffle", "context"] = "context"  # the paper's is lzw
    reference: ReferenceRecipe
