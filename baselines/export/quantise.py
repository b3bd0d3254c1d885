"""Exports a network to int8 by the TFLite converter, and runs the result on the host."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from baselines.networks.lite_interpreter import interpreter
from baselines.networks.quiet import backend_name, silenced
from harness.contracts.errors import BenchError

log = logging.getLogger(__name__)

CALIBRATION_PICTURES = 512
INPUT_SCALE, INPUT_ZERO_POINT = 1.0 / 255.0, -128  # int8 = uint8 - 128: the device does nothing to a picture


def to_int8(model: Any, calibration: npt.NDArray[np.uint8]) -> bytes:
    """Convert a folded Keras model to a fully int8 .tflite (int8 in and out, weights per channel).

    Args:
        model: float32 [1, h, w, 3] in 0..1 -> one or more outputs.
        calibration: uint8 training pictures [n, h, w, 3]; ranges are taken from them, never from validation or test.

    Raises:
        BenchError: the calibration pictures do not span 0..255, so that the input scale would not be 1/255; or Keras
            does not run on TensorFlow, whose converter this is.
    """
    if backend_name() != "tensorflow":
        raise BenchError("the export runs on TensorFlow", cure="unset KERAS_BACKEND and go on with --resume")
    import tensorflow as tf  # noqa: PLC0415 - training on JAX does without it
    from tensorflow.python.framework.convert_to_constants import (  # noqa: PLC0415
        convert_variables_to_constants_v2,
    )

    if calibration.min() != 0 or calibration.max() != 255:
        raise BenchError("the calibration pictures do not span 0..255", cure="use more of them")
    shape = (1, *model.input_shape[1:])

    def pictures() -> Iterator[list[npt.NDArray[np.float32]]]:
        for picture in calibration:
            yield [picture[None].astype(np.float32) / np.float32(255.0)]

    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    frozen = convert_variables_to_constants_v2(function)  # the calibrator can't read variables
    with silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about calls that suit other models
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = pictures
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        flat: bytes = converter.convert()
    scale, zero_point = interpreter(flat).get_input_details()[0]["quantization"]
    if zero_point != INPUT_ZERO_POINT or abs(scale - INPUT_SCALE) > 1e-9:
        raise BenchError(f"the converter chose input scale {scale}, zero point {zero_point}", cure="report this")
    return flat


def run_int8(flat: bytes, pictures: npt.NDArray[np.uint8], batch: int = 100) -> list[npt.NDArray[np.int8]]:
    """Return the outputs of the model, int8 [n, ...] each, for uint8 pictures [n, h, w, 3].

    Raises:
        BenchError: no interpreter is installed.
    """
    parts: list[list[npt.NDArray[np.int8]]] = []
    runner, size = interpreter(flat), 0
    for start in range(0, len(pictures), batch):
        chunk = pictures[start : start + batch]
        if len(chunk) != size:
            size = len(chunk)
            runner.resize_tensor_input(runner.get_input_details()[0]["index"], chunk.shape)
            with silenced():  # a notice that XNNPACK is used
                runner.allocate_tensors()
        runner.set_tensor(runner.get_input_details()[0]["index"], (chunk.astype(np.int16) - 128).astype(np.int8))
        runner.invoke()
        parts.append([runner.get_tensor(detail["index"]) for detail in runner.get_output_details()])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]
