"""Holds the context codec's tables: part of an artefact, learnt from training pictures, the same on both sides.

`context.toml` lies beside `description.toml` and counts in `weights_hash`: a device and an edge with other tables
refuse each other as they do with other weights.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from harness.contracts.toml import Strict

CONTEXT = "context.toml"
TOTAL = 4096  # what the frequencies of a class add up to
MAX_SYMBOLS, MAX_CLASSES = 16, 256
ROW_SYMBOLS = 4096  # symbols of a row, width * channels: the encoder remembers one
MAP_BYTES = 16_384  # the device's table of classes: channels * (symbols, rounded up to a power of two) ** 2

Row = list[Annotated[int, Field(ge=0, le=TOTAL)]]


def symbol_bits(n_symbols: int) -> int:
    """Return the bits of a stored symbol, at least 1."""
    return max(1, (n_symbols - 1).bit_length())


def why_not(n_symbols: int, width: int, channels: int) -> str | None:
    """Say why the context codec does not take such features; return None where it does."""
    if not 2 <= n_symbols <= MAX_SYMBOLS:
        return f"the context codec takes 2 to {MAX_SYMBOLS} symbols, these features have {n_symbols}"
    if width * channels > ROW_SYMBOLS:
        return f"the context codec takes rows of at most {ROW_SYMBOLS} symbols, these have {width * channels}"
    if channels << 2 * symbol_bits(n_symbols) > MAP_BYTES:
        return f"the context codec's table of classes is at most {MAP_BYTES} B, {channels} channels need more"
    return None


class ContextTables(Strict):
    """Holds the tables for feature maps of `width` pixels a row (any height) with `channels` channels.

    `class_of[channel][above * n_symbols + left]` is the class of a symbol by the symbols above and to the left of it
    in its channel (0 outside the map); `frequencies[class][symbol]` its share of 4096, at least 1.
    """

    n_symbols: int = Field(ge=2, le=MAX_SYMBOLS)
    width: int = Field(ge=1, le=ROW_SYMBOLS)
    channels: int = Field(ge=1, le=ROW_SYMBOLS)
    class_of: list[Row]
    frequencies: list[Row] = Field(min_length=1, max_length=MAX_CLASSES)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if why := why_not(self.n_symbols, self.width, self.channels):
            raise ValueError(why)
        contexts = self.n_symbols**2
        if len(self.class_of) != self.channels or any(len(row) != contexts for row in self.class_of):
            raise ValueError(f"class_of must be {self.channels} rows of {contexts}")
        if any(number >= len(self.frequencies) for row in self.class_of for number in row):
            raise ValueError("class_of names a class without frequencies")
        if any(len(row) != self.n_symbols or min(row) < 1 or sum(row) != TOTAL for row in self.frequencies):
            raise ValueError(f"frequencies must be rows of {self.n_symbols}, each at least 1, adding up to {TOTAL}")
        return self

    def packed_classes(self) -> list[int]:
        """Return `class_of` as C has it: channel << 2b | above << b | left, where b is the bits of a symbol."""
        n, size = self.n_symbols, 1 << symbol_bits(self.n_symbols)
        return [
            row[above * n + left] if above < n and left < n else 0
            for row in self.class_of
            for above in range(size)
            for left in range(size)
        ]

    def packed_shares(self) -> list[int]:
        """Return `frequencies` as C has them: class << b | symbol -> start + (frequency << 16)."""
        out = []
        for row in self.frequencies:
            start = 0
            for symbol in range(1 << symbol_bits(self.n_symbols)):
                frequency = row[symbol] if symbol < self.n_symbols else 0
                out.append(start + (frequency << 16))
                start += frequency
        return out
