"""Takes off a graph's borders what the host can do as well as the board, and remembers it.

TensorFlow's converter writes int8 models with float32 inputs and outputs unless told otherwise: a QUANTIZE behind each
input and a DEQUANTIZE before each output. Older exports have uint8 there, and exports from PyTorch a TRANSPOSE from
channels-first. None of that is work for the board: its graph begins and ends at the int8 tensors, and a `Border` says
how they relate to the tensors that the file's user sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose

import numpy as np

from .model import Model, Operator, Tensor


@dataclass(frozen=True)
class Border:
    """Relates one input or output of the board's graph to that of the file.

    `tensor`, `shape`, `scale` and `zero_point` are those of the int8 tensor at which the board begins or ends;
    `file_tensor`, `file_shape` and `dtype` are what the file has there. `steps` holds what lies between them, in the
    file's order, as (operator, permutation or None, shape before it).
    """

    name: str
    tensor: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    file_tensor: int
    file_shape: tuple[int, ...]
    dtype: str
    steps: tuple[tuple[str, tuple[int, ...] | None, tuple[int, ...]], ...] = ()

    @property
    def text(self) -> str:
        """Return what stands in the file, and what of it was folded, as text."""
        folded = ", ".join(kind for kind, _, _ in self.steps)
        return f"{self.dtype} {list(self.file_shape)}" + (f" ({folded} folded)" if folded else "")

    def as_file_input(self, values: np.ndarray) -> np.ndarray:
        """Return the board's int8 values as the file's input takes them: they are quantised to the same bytes again."""
        out = np.asarray(values, np.int8).reshape(self.shape)
        for _, permutation, before in reversed(self.steps):
            out = out.transpose(np.argsort(permutation)) if permutation is not None else out.reshape(before)
        if self.dtype == "uint8":
            return (out.astype(np.int16) + 128).astype(np.uint8)
        if self.dtype == "float32":
            return ((out.astype(np.float64) - self.zero_point) * self.scale).astype(np.float32)
        return np.ascontiguousarray(out)

    def from_file_input(self, values: np.ndarray) -> np.ndarray:
        """Return values that fit the file's input as the int8 values of the board's input."""
        out: np.ndarray = np.asarray(values).reshape(self.file_shape)
        for _, permutation, _before in self.steps:
            out = out.transpose(permutation) if permutation is not None else out
        out = out.reshape(self.shape)
        if self.dtype == "uint8":
            return (out.astype(np.int16) - 128).astype(np.int8)
        if self.dtype == "float32":
            steps = np.float32(out) / np.float32(self.scale)
            away = np.sign(steps) * np.floor(np.abs(steps) + np.float32(0.5))  # half away from zero, as TFLite rounds
            return np.asarray(np.clip(away + self.zero_point, -128, 127), dtype=np.int8)
        return out.astype(np.int8)


@dataclass(frozen=True)
class Folded:
    """Holds a model that begins and ends with int8 tensors, and its borders in the order of its inputs and outputs."""

    model: Model
    inputs: tuple[Border, ...]
    outputs: tuple[Border, ...]


def fold(model: Model) -> Folded:
    """Take off the operators that only serve the borders. What cannot be folded is left for the kernels to refuse.

    What nothing reads, such as the computation of a shape that is known, is left out as well.
    """
    walk = _Walk(model)
    inputs = tuple(walk.inward(t) for t in model.inputs)
    outputs = tuple(walk.outward(t) for t in model.outputs)
    starts = [b.tensor for b in inputs]
    ends = [b.tensor for b in outputs]
    return Folded(Model(model.tensors, _needed(model, starts, ends), starts, ends), inputs, outputs)


def _needed(model: Model, starts: list[int], ends: list[int]) -> list[Operator]:
    """Return the operators between the borders whose results are used."""
    wanted, kept = {*ends} - {*starts}, []
    for op in reversed(model.operators):
        if wanted.isdisjoint(op.outputs):
            continue
        kept.append(op)
        read = op.inputs[:1] if op.kind == "RESHAPE" else op.inputs  # a shape that is fixed need not be worked out
        wanted |= {t for t in read if t not in starts}
    return kept[::-1]


class _Walk:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.readers: dict[int, list[Operator]] = {}
        self.writer: dict[int, Operator] = {}
        for op in model.operators:
            for t in {*op.inputs}:
                self.readers.setdefault(t, []).append(op)
            for t in op.outputs:
                self.writer[t] = op

    def inward(self, start: int) -> Border:
        """Follow the graph from an input of the file to the tensor at which the board begins."""
        at, steps = start, []
        while at not in self.model.outputs and len(self.readers.get(at, [])) == 1:
            op = self.readers[at][0]
            step = self.step(op, ("QUANTIZE",))
            if step is None or op.inputs[0] != at:
                break
            steps.append(step)
            at = op.outputs[0]
        return self.border(start, at, steps)

    def outward(self, end: int) -> Border:
        """Follow the graph from an output of the file back to the tensor at which the board ends."""
        at, steps = end, []
        while at in self.writer:
            op = self.writer[at]
            step = self.step(op, ("QUANTIZE", "DEQUANTIZE"))
            if step is None or op.inputs[0] in self.model.inputs or self.model.tensors[op.inputs[0]].data is not None:
                break
            steps.append(step)
            at = op.inputs[0]
        return self.border(end, at, steps[::-1])

    def border(
        self, file_tensor: int, at: int, steps: list[tuple[str, tuple[int, ...] | None, tuple[int, ...]]]
    ) -> Border:
        file, tensor = self.model.tensors[file_tensor], self.model.tensors[at]
        if tensor.dtype != "int8":  # the chain did not end in int8: a float graph, refused by its first operator
            tensor, steps = file, []
        scale, zero = (tensor.scale, tensor.zero_point) if tensor.scales.size and tensor.zero_points.size else (0.0, 0)
        return Border(
            file.name, tensor.index, tensor.shape, scale, zero, file.index, file.shape, file.dtype, tuple(steps)
        )

    def step(
        self, op: Operator, changes: tuple[str, ...]
    ) -> tuple[str, tuple[int, ...] | None, tuple[int, ...]] | None:
        """Return the operator as a step of a border, or None where it is work for the board."""
        if not op.inputs or len(op.outputs) != 1 or op.inputs[0] < 0:
            return None
        x, y = self.model.tensors[op.inputs[0]], self.model.tensors[op.outputs[0]]
        if op.kind in changes and x.elements == y.elements and _only_a_type(x, y):
            return op.kind, None, x.shape
        if op.kind == "RESHAPE" and x.elements == y.elements and x.dtype == "float32":
            return op.kind, None, x.shape
        if op.kind == "TRANSPOSE" and len(op.inputs) > 1 and op.inputs[1] >= 0:
            table = self.model.tensors[op.inputs[1]].data
            order = () if table is None else tuple(int(v) for v in table.reshape(-1))
            if sorted(order) == list(range(len(x.shape))) and tuple(x.shape[i] for i in order) == y.shape:
                return op.kind, order, x.shape
        return None


def _only_a_type(x: Tensor, y: Tensor) -> bool:
    """Tell whether y is the same numbers as x in another type: int8 and float32, or int8 and uint8 of one scale."""
    kinds = {x.dtype, y.dtype}
    if kinds == {"int8", "float32"}:
        quantised = x if x.dtype == "int8" else y
        return quantised.scales.size == 1 and quantised.zero_points.size == 1
    if (
        kinds != {"int8", "uint8"}
        or not x.scales.size == y.scales.size == x.zero_points.size == y.zero_points.size == 1
    ):
        return False
    signed, unsigned = (x, y) if x.dtype == "int8" else (y, x)
    return isclose(x.scale, y.scale, rel_tol=1e-6) and unsigned.zero_point == signed.zero_point + 128
