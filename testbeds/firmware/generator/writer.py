"""Writes a `Model` as a `.tflite` file, for benchmark networks and tests, which need no training and no TensorFlow."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import tflite

from .model import Model, Operator, Tensor

_DTYPES = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "int16": 7, "int8": 9}
# By operator: its options table, and the fields as in Operator.options.
_TABLES = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "SOFTMAX": "SoftmaxOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "MUL": "MulOptions",
    "SUB": "SubOptions",
    "SPLIT": "SplitOptions",
    "UNPACK": "UnpackOptions",
    "CONCATENATION": "ConcatenationOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SVDF": "SVDFOptions",
    "MAX_POOL_2D": "Pool2DOptions",
}
# Versions of the operators that take int8 with one scale a channel; the version is 2 where none is named.
_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "RESHAPE": 1,
    "HARD_SWISH": 1,
    "RESIZE_NEAREST_NEIGHBOR": 3,
    "SVDF": 3,
    "SQUEEZE": 1,
    "EXPAND_DIMS": 1,
}


def write_model(model: Model) -> bytes:
    """Return the bytes of a `.tflite` file (schema version 3) that `parse_model` reads back as `model`."""
    b = flatbuffers.Builder(1 << 16)
    buffers = [_buffer(b, None)]
    tensors = []
    for t in model.tensors:
        number = 0
        if t.data is not None:
            number = len(buffers)
            buffers.append(_buffer(b, t.data))
        tensors.append(_tensor(b, t, number))
    codes = sorted({op.kind for op in model.operators})
    operators = [_operator(b, op, codes.index(op.kind)) for op in model.operators]
    code_tables = [_code(b, kind) for kind in codes]
    inputs, outputs = _ints(b, model.inputs), _ints(b, model.outputs)
    tensor_vector = _tables(b, tensors)
    operator_vector = _tables(b, operators)
    name = b.CreateString("main")
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tensor_vector)
    tflite.SubGraphAddInputs(b, inputs)
    tflite.SubGraphAddOutputs(b, outputs)
    tflite.SubGraphAddOperators(b, operator_vector)
    tflite.SubGraphAddName(b, name)
    graph = tflite.SubGraphEnd(b)
    graphs, code_vector, buffer_vector = _tables(b, [graph]), _tables(b, code_tables), _tables(b, buffers)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, code_vector)
    tflite.ModelAddSubgraphs(b, graphs)
    tflite.ModelAddBuffers(b, buffer_vector)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def _tables(b: Any, offsets: list[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _ints(b: Any, values: list[int]) -> int:
    return int(b.CreateNumpyVector(np.array(values, np.int32)))


def _buffer(b: Any, data: np.ndarray | None) -> int:
    vector = None
    if data is not None:
        raw = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        vector = b.CreateNumpyVector(raw)
    tflite.BufferStart(b)
    if vector is not None:
        tflite.BufferAddData(b, vector)
    return int(tflite.BufferEnd(b))


def _tensor(b: Any, t: Tensor, buffer: int) -> int:
    name, shape = b.CreateString(t.name), _ints(b, list(t.shape))
    quantization = None
    if t.scales.size:
        scales = b.CreateNumpyVector(t.scales.astype(np.float32))
        zeros = b.CreateNumpyVector(t.zero_points.astype(np.int64))
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scales)
        tflite.QuantizationParametersAddZeroPoint(b, zeros)
        tflite.QuantizationParametersAddQuantizedDimension(b, t.axis)
        quantization = tflite.QuantizationParametersEnd(b)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, _DTYPES[t.dtype])
    tflite.TensorAddBuffer(b, buffer)
    tflite.TensorAddName(b, name)
    if t.variable:
        tflite.TensorAddIsVariable(b, True)
    if quantization is not None:
        tflite.TensorAddQuantization(b, quantization)
    return int(tflite.TensorEnd(b))


def _code(b: Any, kind: str) -> int:
    value = getattr(tflite.BuiltinOperator, kind)
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(value, 127))
    tflite.OperatorCodeAddBuiltinCode(b, value)
    tflite.OperatorCodeAddVersion(b, _VERSIONS.get(kind, 2))
    return int(tflite.OperatorCodeEnd(b))


def _options(b: Any, op: Operator) -> tuple[int, int] | None:
    table = _TABLES.get(op.kind)
    if table is None:
        return None
    getattr(tflite, f"{table}Start")(b)
    for field, value in op.options.items():
        number = getattr(tflite.ActivationFunctionType, value) if field == "FusedActivationFunction" else value
        getattr(tflite, f"{table}Add{field}")(b, number)
    return getattr(tflite.BuiltinOptions, table), int(getattr(tflite, f"{table}End")(b))


def _operator(b: Any, op: Operator, code: int) -> int:
    inputs, outputs, options = _ints(b, op.inputs), _ints(b, op.outputs), _options(b, op)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, code)
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(b, options[0])
        tflite.OperatorAddBuiltinOptions(b, options[1])
    return int(tflite.OperatorEnd(b))
