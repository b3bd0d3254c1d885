"""Plans places for activations in one arena: lifetimes, aliases, and outputs that may take their input's place."""

from __future__ import annotations

from dataclasses import dataclass

from .layer import Layer
from .model import Model
from .source import round_up

ALIGN = 32  # a cache line


@dataclass(frozen=True)
class Plan:
    """Holds the byte offsets of tensors in the arena.

    `arena_bytes` is the peak; `layer_bound_bytes` is the largest layer's inputs and output, which no plan without
    in-place layers can go below.
    """

    offsets: dict[int, int]
    arena_bytes: int
    layer_bound_bytes: int


@dataclass
class _Block:
    tensors: list[int]
    size: int
    first: int
    last: int


def plan(model: Model, layers: list[Layer], aliases: dict[int, int]) -> Plan:
    """Choose offsets: blocks are placed lowest-first in a few orders, and the smallest arena wins."""
    blocks = _blocks(model, layers, aliases)
    orders = (
        lambda b: (-b.size, b.first),
        lambda b: (-(b.last - b.first), -b.size),
        lambda b: (b.first, -b.size),
        lambda b: (-b.last, -b.size),
    )
    best: tuple[int, list[tuple[_Block, int]]] | None = None
    for order in orders:
        placed: list[tuple[_Block, int]] = []
        for block in sorted(blocks, key=order):
            placed.append((block, _lowest(block, placed)))
        peak = max(at + block.size for block, at in placed)
        if best is None or peak < best[0]:
            best = peak, placed
    if best is None:
        raise ValueError("a graph has at least one tensor")
    offsets = {t: at for block, at in best[1] for t in block.tensors}
    bound = max(
        (sum(round_up(model.tensors[t].bytes, ALIGN) for t in {*layer.inputs, layer.output}) for layer in layers),
        default=0,
    )
    return Plan(offsets, round_up(best[0], ALIGN), bound)


def _lowest(block: _Block, placed: list[tuple[_Block, int]]) -> int:
    """Return the lowest offset at which a block meets no other that lives at the same time."""
    at = 0
    for other, start in sorted(placed, key=lambda p: p[1]):
        alive = other.first <= block.last and block.first <= other.last
        if alive and start < at + block.size and at < start + other.size:
            at = start + other.size
    return at


def _blocks(model: Model, layers: list[Layer], aliases: dict[int, int]) -> list[_Block]:
    def root(t: int) -> int:
        while t in aliases:
            t = aliases[t]
        return t

    first: dict[int, int] = {root(t): -1 for t in model.inputs}
    last: dict[int, int] = dict(first)
    size: dict[int, int] = {}
    for i, layer in enumerate(layers):
        for t in (*layer.inputs, layer.output):
            r = root(t)
            first.setdefault(r, i)
            last[r] = i
    for t in model.outputs:
        last[root(t)] = len(layers)
    for t in {t for layer in layers for t in layer.inputs if model.tensors[t].variable}:
        first[t], last[t] = -1, len(layers)  # it is kept from run to run, so nothing else may ever lie there
    for r in first:
        size[r] = round_up(model.tensors[r].bytes, ALIGN)
    merged: dict[int, int] = {}

    def holder(r: int) -> int:
        while r in merged:
            r = merged[r]
        return r

    for i, layer in enumerate(layers):
        out = root(layer.output)
        for t in layer.in_place:
            source = holder(root(t))
            if last[source] == i and size[source] == size[out] and source != out:
                merged[out] = source
                last[source] = last[out]
                break
    tensors: dict[int, list[int]] = {}
    for t in {*first, *aliases}:
        tensors.setdefault(holder(root(t)), []).append(t)
    return [_Block(sorted(ts), size[r], first[r], last[r]) for r, ts in sorted(tensors.items())]
