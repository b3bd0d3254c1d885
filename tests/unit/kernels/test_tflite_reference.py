"""One rounding against TensorFlow Lite's reference kernels: how many bytes differ, and none by more than 1.

Each operator is given TensorFlow Lite's own inputs, so that differences do not add up. The oracle stands for the kernels:
test_host_kernels.py shows them equal to the bit.
"""

import numpy as np
import pytest
from oracle import Oracle

from testbeds.firmware.generator import zoo
from testbeds.firmware.generator.compose import Composer
from testbeds.firmware.generator.writer import write_model

IMAGES = 12


def mixed():
    """Every operator, with per-tensor and per-channel weights, padding, odd scales and zero points."""
    c = Composer((12, 12, 8), seed=11, scale=0.03, zero_point=5)
    x = c.model.inputs[0]
    made = []
    for per_channel in (True, False):
        for activation in ("NONE", "RELU", "RELU6"):
            made.append(c.conv(x, 16, 3, activation=activation, per_channel=per_channel))
            made.append(c.conv(x, 0, 3, 2, activation=activation, per_channel=per_channel, depthwise=True))
        made.append(c.dense(c.reshape(x, (1, 1152)), 64, per_channel=per_channel))
    y = c.conv(x, 8, 1, activation="NONE")
    made.append(c.add(x, y))
    made.append(c.add(c.activation(x, "QUANTIZE"), y, "NONE"))
    made += [c.average_pool(x, 3, 2, same=True), c.mean(x), c.softmax(c.reshape(x, (1, 1152)))]
    made += [c.softmax(c.dense(c.reshape(x, (1, 1152)), 10))]
    made += [c.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0))), c.strided_slice(x, (0, 1, 0, 2), (1, 12, 9, 8), (1, 2, 3, 2))]
    made += [c.activation(x, "RELU"), c.activation(x, "RELU6")]
    return c.finish(*made)


def differences(model):
    """Operator -> [bytes, bytes that differ, largest difference]."""
    tf = pytest.importorskip("tensorflow")
    from tensorflow.lite.python.interpreter import OpResolverType  # noqa: PLC0415

    interpreter = tf.lite.Interpreter(
        model_content=write_model(model),
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    counts = {}
    for seed in range(IMAGES):
        shape = model.tensors[model.inputs[0]].shape
        x = np.clip(np.random.default_rng(seed).normal(0, 60, shape), -128, 127).astype(np.int8)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        theirs = {
            t: interpreter.get_tensor(t) for op in model.operators for t in (*op.inputs, *op.outputs) if t >= 0
        }
        for op in model.operators:
            ours = Oracle(model).step(op, theirs).astype(int)
            off = np.abs(ours - theirs[op.outputs[0]].astype(int))
            entry = counts.setdefault(op.kind, [0, 0, 0])
            entry[0] += off.size
            entry[1] += int((off > 0).sum())
            entry[2] = max(entry[2], int(off.max()))
    return counts


# Share of bytes that may differ: a little above what was seen (docs/kernels.md).
SHARE = {
    "CONV_2D": 0.005,
    "DEPTHWISE_CONV_2D": 0.005,
    "FULLY_CONNECTED": 0.005,
    "ADD": 0.03,
    "AVERAGE_POOL_2D": 0.06,
    "MEAN": 0.05,
    "SOFTMAX": 0.05,
    "QUANTIZE": 0.01,
    "RELU": 0.01,
    "RELU6": 0.01,
}


@pytest.mark.parametrize("build", [mixed, zoo.resnet8])
def test_no_byte_differs_from_tensorflow_lite_by_more_than_one(build):
    counts = differences(build())
    for kind, (total, different, largest) in counts.items():
        print(f"{kind}: {different} of {total} bytes differ ({different / total:.3%}), by at most {largest}")  # noqa: T201
        assert largest <= 1, kind
        assert different <= SHARE.get(kind, 0) * total, (kind, different, total)
