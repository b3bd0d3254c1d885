"""Reads a `.tflite` file into plain data, with every index and size checked.

A file is foreign input: whatever it holds, reading it ends in a `Model` or in one `BenchError`, and takes memory in
proportion to the file. The format is TensorFlow Lite schema version 3.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tflite

from harness.contracts.errors import BenchError

MAX_FILE_BYTES = 64 << 20
MAX_TENSOR_ELEMENTS = 1 << 24  # far above what 320 KB of RAM or 1 MB of flash hold
_DTYPES = {0: "float32", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8"}
_NUMPY = {"int8": np.int8, "int16": np.int16, "int32": np.int32, "int64": np.int64, "float32": np.float32}
_ITEM_BYTES = {"int16": 2, "int32": 4, "float32": 4, "int64": 8}
_OPERATORS = {
    value: name
    for name, value in vars(tflite.BuiltinOperator).items()
    if isinstance(value, int) and not name.startswith("_")
}
_ACTIVATIONS = {
    value: name
    for name, value in vars(tflite.ActivationFunctionType).items()
    if isinstance(value, int) and not name.startswith("_")
}
# A damaged file makes the generated accessors and numpy raise these.
_DAMAGE = (
    struct.error,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    KeyError,
    MemoryError,
    RecursionError,
)


@dataclass
class Tensor:
    """Describes one tensor. `data` is None for an activation; `scales` has one value, or one per slice along `axis`.

    `variable` marks a state that an operator keeps from one run to the next; it starts as zeros.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    data: np.ndarray | None = None
    variable: bool = False

    @property
    def bytes(self) -> int:
        return self.elements * _ITEM_BYTES.get(self.dtype, 1)

    @property
    def elements(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count

    @property
    def scale(self) -> float:
        return float(self.scales[0])

    @property
    def zero_point(self) -> int:
        return int(self.zero_points[0])

    def hwc(self) -> tuple[int, int, int]:
        """Return (height, width, channels) of an activation of batch 1; missing leading sizes are 1."""
        sizes = (1, 1, 1, *(self.shape[1:] if len(self.shape) > 1 else self.shape))
        return sizes[-3], sizes[-2], sizes[-1]


@dataclass
class Operator:
    """Describes one operator: its builtin name, tensor indices (-1: left out) and the options that its kind has."""

    index: int
    kind: str
    inputs: list[int]
    outputs: list[int]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Model:
    """Holds the main subgraph of a file."""

    tensors: list[Tensor]
    operators: list[Operator]
    inputs: list[int]
    outputs: list[int]

    def where(self, op: Operator) -> str:
        """Return how an error names an operator: by its kind, place and output tensor."""
        name = self.tensors[op.outputs[0]].name if op.outputs else "?"
        return f"operator {op.index} {op.kind} (tensor '{name}')"


def read_model(path: Path) -> Model:
    """Read a `.tflite` file.

    Raises:
        BenchError: the file is unreadable, damaged or of another version, or has shapes that are not fixed.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise BenchError(f"{path} has {size} bytes", f"a model for this board is far below {MAX_FILE_BYTES} bytes")
        data = path.read_bytes()
    except OSError as e:
        raise BenchError(f"cannot read {path}: {e.strerror}", "give the path of a .tflite file") from e
    return parse_model(data, str(path))


def parse_model(data: bytes, name: str = "model") -> Model:
    """Parse the bytes of a `.tflite` file; `name` is used in errors."""
    cure = "export it again, or take another file"
    if len(data) < 16 or data[4:8] != b"TFL3":
        raise BenchError(f"{name} is no .tflite file", cure)
    try:
        return _Parser(data, name).model()
    except _DAMAGE as e:
        raise BenchError(f"{name} is a damaged .tflite file ({type(e).__name__})", cure) from e


class _Parser:
    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name = data, name
        self.root = tflite.Model.GetRootAs(data, 0)
        self.elements_held = 0

    def fail(self, what: str) -> BenchError:
        return BenchError(f"{self.name}: {what}", "export it again, or take another file")

    def items(self, length: int, get: Callable[[int], Any]) -> list[Any]:
        """Return `length` things by index, where a length that the file cannot hold is damage, not a long loop."""
        if length < 0 or length * 4 > len(self.data):
            raise self.fail("a list is longer than the file")
        return [get(i) for i in range(length)]

    def ints(self, vector: Any) -> list[int]:
        """Return a vector that the generated accessors give as an array, or as 0 where it is absent."""
        return [] if isinstance(vector, int) else [int(v) for v in vector]

    def model(self) -> Model:
        root = self.root
        if root.Version() != 3:
            raise self.fail(f"schema version {root.Version()}, not 3")
        if root.SubgraphsLength() < 1:
            raise self.fail("no graph in it")
        graph = root.Subgraphs(0)  # what others there are belong to operators such as WHILE, refused by name
        buffers = self.items(root.BuffersLength(), root.Buffers)
        kinds = [self.kind(c) for c in self.items(root.OperatorCodesLength(), root.OperatorCodes)]
        tensors = [self.tensor(i, t, buffers) for i, t in enumerate(self.items(graph.TensorsLength(), graph.Tensors))]
        operators = [
            self.operator(i, o, kinds, len(tensors))
            for i, o in enumerate(self.items(graph.OperatorsLength(), graph.Operators))
        ]
        inputs, outputs = self.ints(graph.InputsAsNumpy()), self.ints(graph.OutputsAsNumpy())
        if not inputs or not outputs or not operators:
            raise self.fail("the graph has no input, output or operator")
        self.check_indices(inputs + outputs, len(tensors), "the graph")
        model = Model(tensors, operators, inputs, outputs)
        self.check_order(model)
        return model

    def check_indices(self, indices: list[int], count: int, who: str, lowest: int = 0) -> None:
        if any(not lowest <= i < count for i in indices):
            raise self.fail(f"{who} names a tensor that does not exist")

    def check_order(self, model: Model) -> None:
        """Check that each activation is written once, before it is read."""
        written = {*model.inputs, *(t.index for t in model.tensors if t.variable)}
        for op in model.operators:
            for i in op.inputs:
                if i >= 0 and model.tensors[i].data is None and i not in written:
                    raise self.fail(f"{model.where(op)} reads '{model.tensors[i].name}' before it is written")
            for i in op.outputs:
                if i in written or model.tensors[i].data is not None:
                    raise self.fail(f"{model.where(op)} writes '{model.tensors[i].name}', which is already there")
                written.add(i)
        if any(i not in written for i in model.outputs):
            raise self.fail("an output is written by no operator")

    def tensor(self, index: int, t: Any, buffers: list[Any]) -> Tensor:
        raw = t.Name()
        name = raw.decode("utf-8", "replace")[:200] if raw else f"#{index}"
        shape = tuple(self.ints(t.ShapeAsNumpy()))
        signature = self.ints(t.ShapeSignatureAsNumpy())
        # Only a free batch size is let through: it is 1 here.
        if any(s < 0 for s in shape) or any(s < 0 for s in signature[1:]):
            raise BenchError(
                f"{self.name}: tensor '{name}' has a dynamic shape",
                "export it with fixed sizes, e.g. keras.Input(shape, batch_size=1)",
            )
        dtype = _DTYPES.get(t.Type(), f"type {t.Type()}")
        q = t.Quantization()
        scales = np.zeros(0) if q is None else np.asarray(self.ints_or_floats(q.ScaleAsNumpy()), np.float64)
        zeros = np.zeros(0, np.int64) if q is None else np.asarray(self.ints(q.ZeroPointAsNumpy()), np.int64)
        axis = q.QuantizedDimension() if q is not None else 0
        tensor = Tensor(index, name, shape, dtype, scales, zeros, axis, variable=bool(t.IsVariable()))
        if len(shape) > 8 or tensor.elements > MAX_TENSOR_ELEMENTS:
            raise self.fail(f"tensor '{name}' of shape {shape} is too large")
        number = t.Buffer()
        if not 0 <= number < len(buffers):
            raise self.fail(f"tensor '{name}' names a buffer that does not exist")
        data = buffers[number].DataAsNumpy() if number else 0
        if not isinstance(data, int) and len(data) and not t.IsVariable():
            # Tensors may share a buffer: what they hold together is bounded by the file all the same.
            self.elements_held += len(data)
            if self.elements_held > 4 * len(self.data):
                raise self.fail("its constants are larger than the file")
            tensor.data = self.constant(tensor, data)
        return tensor

    def ints_or_floats(self, vector: Any) -> list[float]:
        values = [] if isinstance(vector, int) else [float(v) for v in vector]
        if not all(np.isfinite(values)):
            raise self.fail("a scale is not finite")
        return values

    def constant(self, tensor: Tensor, data: np.ndarray) -> np.ndarray:
        kind = _NUMPY.get(tensor.dtype)
        if kind is None:
            return np.frombuffer(data.tobytes(), np.uint8)  # refused by whichever operator reads it
        if len(data) != tensor.elements * np.dtype(kind).itemsize:
            raise self.fail(f"tensor '{tensor.name}' has {len(data)} bytes for shape {tensor.shape}")
        return np.frombuffer(data.tobytes(), kind).reshape(tensor.shape)

    def kind(self, code: Any) -> str:
        """Return the name of an operator code: TensorFlow Lite's own, or CUSTOM with the name that the file gives."""
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = _OPERATORS.get(number, f"code {number}")
        own = code.CustomCode() if name == "CUSTOM" else None
        printable = "".join(c for c in own.decode("utf-8", "replace")[:60] if c.isprintable()) if own else ""
        return f"{name} {printable}".strip()

    def operator(self, index: int, o: Any, kinds: list[str], tensors: int) -> Operator:
        if not 0 <= o.OpcodeIndex() < len(kinds):
            raise self.fail(f"operator {index} has no code")
        kind = kinds[o.OpcodeIndex()]
        inputs, outputs = self.ints(o.InputsAsNumpy()), self.ints(o.OutputsAsNumpy())
        self.check_indices(inputs, tensors, f"operator {index} {kind}", -1)
        self.check_indices(outputs, tensors, f"operator {index} {kind}")
        return Operator(index, kind, inputs, outputs, self.options(kind, o))

    def options(self, kind: str, o: Any) -> dict[str, Any]:
        """Return the builtin options of the operators that the generator has; an absent table means the defaults."""
        spec = _OPTIONS.get(kind)
        table = o.BuiltinOptions()
        if spec is None:
            return {}
        cls, names = spec
        view = cls()
        if table is None:
            return {}
        if o.BuiltinOptionsType() != getattr(tflite.BuiltinOptions, cls.__name__):
            raise self.fail(f"{kind} carries the options of another operator")
        view.Init(table.Bytes, table.Pos)
        values = {name: getattr(view, name)() for name in names}
        if "FusedActivationFunction" in values:
            number = values["FusedActivationFunction"]
            values["FusedActivationFunction"] = _ACTIVATIONS.get(number, f"activation {number}")
        return values


_CONV = ("Padding", "StrideW", "StrideH", "DilationWFactor", "DilationHFactor", "FusedActivationFunction")
_POOL = ("Padding", "StrideW", "StrideH", "FilterWidth", "FilterHeight", "FusedActivationFunction")
_OPTIONS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "CONV_2D": (tflite.Conv2DOptions, _CONV),
    "DEPTHWISE_CONV_2D": (tflite.DepthwiseConv2DOptions, (*_CONV, "DepthMultiplier")),
    "FULLY_CONNECTED": (
        tflite.FullyConnectedOptions,
        ("FusedActivationFunction", "WeightsFormat", "KeepNumDims", "AsymmetricQuantizeInputs"),
    ),
    "ADD": (tflite.AddOptions, ("FusedActivationFunction",)),
    "MUL": (tflite.MulOptions, ("FusedActivationFunction",)),
    "CONCATENATION": (tflite.ConcatenationOptions, ("Axis", "FusedActivationFunction")),
    "SUB": (tflite.SubOptions, ("FusedActivationFunction",)),
    "UNPACK": (tflite.UnpackOptions, ("Num", "Axis")),
    "LEAKY_RELU": (tflite.LeakyReluOptions, ("Alpha",)),
    "RESIZE_NEAREST_NEIGHBOR": (tflite.ResizeNearestNeighborOptions, ("AlignCorners", "HalfPixelCenters")),
    "SVDF": (tflite.SVDFOptions, ("Rank", "FusedActivationFunction")),
    "MAX_POOL_2D": (tflite.Pool2DOptions, _POOL),
    "AVERAGE_POOL_2D": (tflite.Pool2DOptions, _POOL),
    "REDUCE_MAX": (tflite.ReducerOptions, ("KeepDims",)),
    "MEAN": (tflite.ReducerOptions, ("KeepDims",)),
    "SOFTMAX": (tflite.SoftmaxOptions, ("Beta",)),
    "STRIDED_SLICE": (
        tflite.StridedSliceOptions,
        ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset"),
    ),
}
