"""Tells what would help where an operator or a type has no kernel."""

from __future__ import annotations

_RECURRENT = (
    "it keeps a state between runs: export the layer with unroll=True and a fixed number of steps, or use SVDF or a "
    "convolution over time"
)
_FLOAT = (
    "the converter left it in float32: give it a representative_dataset and "
    "supported_ops = [TFLITE_BUILTINS_INT8], and it names the operators that have no int8 form"
)
_CURES = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _RECURRENT,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _RECURRENT,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _RECURRENT,
    "BIDIRECTIONAL_SEQUENCE_RNN": _RECURRENT,
    "LSTM": _RECURRENT,
    "RNN": _RECURRENT,
    "WHILE": "it is a loop: " + _RECURRENT,
    "IF": "it is control flow: export the branch that is wanted",
    "CALL_ONCE": "the model keeps variables: freeze them into constants before converting",
    "VAR_HANDLE": "the model keeps variables: freeze them into constants before converting",
    "READ_VARIABLE": "the model keeps variables: freeze them into constants before converting",
    "ASSIGN_VARIABLE": "the model keeps variables: freeze them into constants before converting",
    "DEQUANTIZE": _FLOAT,
    "TRANSPOSE_CONV": "use RESIZE_NEAREST_NEIGHBOR (UpSampling2D) and a convolution",
    "RESIZE_BILINEAR": "resize by nearest neighbour (UpSampling2D with interpolation='nearest')",
    "PRELU": "use LEAKY_RELU or RELU",
    "ELU": "use LEAKY_RELU or HARD_SWISH",
    "GELU": "use HARD_SWISH or RELU",
    "RELU_N1_TO_1": "use TANH or RELU6",
    "RELU_0_TO_1": "use LOGISTIC or RELU6",
    "DIV": "multiply by the reciprocal (MUL)",
    "BATCH_MATMUL": "use FULLY_CONNECTED: one operand must be a constant",
    "SUM": "use MEAN: the sum is a multiple of it",
    "ARG_MAX": "end the graph before it: the host or the caller takes the largest",
    "TOPK_V2": "end the graph before it: the host or the caller takes the largest",
    "CAST": "end or begin the graph behind it: the board works in int8 throughout",
    "SPLIT_V": "use STRIDED_SLICE (x[..., a:b])",
    "PACK": "use CONCATENATION behind a RESHAPE",
    "MIRROR_PAD": "use PAD (zeros)",
    "PADV2": "use PAD (zeros)",
    "SPACE_TO_BATCH_ND": "it is how the converter writes dilation: use dilation 1",
    "BATCH_TO_SPACE_ND": "it is how the converter writes dilation: use dilation 1",
    "CONV_3D": "use CONV_2D with the frames as channels",
}


def cure(kind: str) -> str:
    """Return what to do about an operator that has no kernel."""
    if kind.startswith("CUSTOM"):
        return "it is no operator of TensorFlow Lite itself: end the graph before it and do its work on the host"
    return _CURES.get(
        kind, "express it by operators that have one (docs/models.md lists them), or end the graph before it"
    )


def type_cure(dtype: str) -> str:
    """Return what to do about an activation that is not int8."""
    return {
        "float32": _FLOAT,
        "uint8": "it was quantised the old way (uint8): convert the float model again, which gives int8",
        "int16": "activations of 16 bits are not supported: quantise to int8",
    }.get(dtype, "quantise the model to int8")
