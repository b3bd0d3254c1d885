"""Builds networks as Keras models, from what they are written in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from baselines.networks.structure import Structure, Tensor


def model(
    forward: Callable[[Tensor, Structure], Tensor | list[Tensor]],
    input_shape: tuple[int, ...],
    name: str,
    *,
    folded: bool,
    logit_norm: bool = False,
) -> Any:
    """Build a network as a Keras model, with its weights at their initial values."""
    import keras  # noqa: PLC0415 - whoever only measures has none

    from baselines.networks.blocks import Blocks  # noqa: PLC0415

    x = keras.Input(input_shape)
    return keras.Model(x, forward(x, Blocks(folded, logit_norm)), name=name)
