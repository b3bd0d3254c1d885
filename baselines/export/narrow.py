"""Takes channels out of an exported graph without touching any other number in it.

Converting a narrower network anew would not do: ranges are measured in floating point, and a sum in another order can
round a scale to its neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.contracts.errors import BenchError


def with_channels(graph: bytes, output: int, kept: Sequence[int]) -> bytes:
    """Return the int8 .tflite whose output number `output` has only the channels `kept`, in that order.

    That output must come from a convolution, and whatever else reads it must take leading channels that stay.

    Raises:
        BenchError: it comes from another operation.
    """
    from tensorflow.lite.python import schema_py_generated as schema  # noqa: PLC0415 - imports TensorFlow
    from tensorflow.lite.tools import flatbuffer_utils  # noqa: PLC0415

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(graph))
    part = model.subgraphs[0]
    index = part.outputs[output]
    (maker,) = [op for op in part.operators if index in op.outputs]
    code = model.operatorCodes[maker.opcodeIndex]
    if schema.BuiltinOperator.CONV_2D not in (code.builtinCode, code.deprecatedBuiltinCode):
        raise BenchError("the output whose channels are left out is no convolution's", cure="report this")
    _, kernel, bias = (part.tensors[i] for i in maker.inputs)
    for tensor, dtype in ((kernel, np.int8), (bias, np.int32)):
        _cut(model, tensor, dtype, kept, schema.BufferT())
    made = part.tensors[index]
    made.shape = [*made.shape[:-1], len(kept)]
    if made.shapeSignature is not None:
        made.shapeSignature = [*made.shapeSignature[:-1], len(kept)]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _cut(model: Any, tensor: Any, dtype: Any, kept: Sequence[int], buffer: Any) -> None:
    """Leave the rows `kept` of a constant and of its scales; they go into a `buffer` of their own."""
    values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), dtype).reshape(tensor.shape)[list(kept)]
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.buffer, tensor.shape = len(model.buffers) - 1, list(values.shape)
    for name in ("scale", "zeroPoint"):
        found = getattr(tensor.quantization, name)
        if found is not None and len(found) > 1:  # one for each output channel
            setattr(tensor.quantization, name, np.asarray(found)[list(kept)])
