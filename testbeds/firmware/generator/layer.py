"""Defines what an operator becomes: a layer that can be emitted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Emitted:
    """Holds the C text of a layer, the bytes of its constants in flash, and the scratch memory it uses."""

    lines: list[str]
    constant_bytes: int
    scratch_bytes: int = 0


@dataclass
class Layer:
    """Describes a layer to run.

    Args:
        name: the C name of its function, which starts with `layer_<n>_`.
        kind: TensorFlow Lite's name of the operator.
        call: the C expression that runs it.
        macs: multiply-accumulates of the operator as defined, padding included.
        in_place: inputs whose place the output may take: each element is read before the one in its place is written.
    """

    name: str
    kind: str
    call: str
    macs: int
    emitted: Emitted
    inputs: list[int]
    output: int
    in_place: tuple[int, ...] = ()
