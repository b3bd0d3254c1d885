"""A graph's borders are folded: what the file's user feeds and reads is what the board begins and ends with."""

import numpy as np
import pytest
from hostgraph import HostGraph
from hypothesis import given
from hypothesis import strategies as st
from test_tflite_reference import reference

from harness.contracts.errors import BenchError
from testbeds.firmware.generator.borders import Border, fold
from testbeds.firmware.generator.compose import Composer
from testbeds.firmware.generator.graph import generate_model
from testbeds.firmware.generator.model import Operator, parse_model
from testbeds.firmware.generator.writer import write_model

NHWC, NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def border(c, x, kind, dtype=None, scale=None, zero=0, order=None):
    """One operator of a border; returns its output."""
    source = c.model.tensors[x]
    inputs, shape = [x], source.shape
    if order:
        inputs, shape = [x, c.numbers(*order)], tuple(source.shape[i] for i in order)
    y = c.tensor(f"{kind.lower()}_{len(c.model.operators)}", shape, scale, zero, dtype=dtype or source.dtype)
    c.model.operators.append(Operator(len(c.model.operators), kind, inputs, [y]))
    return y


def bordered(dtype, first=True, last=True):
    """A pool of an image behind a border of `dtype`, channels first on both sides where asked for."""
    c = Composer((5, 6, 3) if not first else (3, 5, 6), seed=2, scale=0.05, zero_point=-10)
    x = c.model.inputs[0]
    scale, zero = (None, 0) if dtype == "float32" else (0.05, -10 + (128 if dtype == "uint8" else 0))
    if dtype != "int8":
        outside = c.tensor("outside", c.model.tensors[x].shape, scale, zero, dtype=dtype)
        c.model.operators.append(Operator(0, "QUANTIZE", [outside], [x]))
        c.model.inputs[0] = outside
    if first:
        x = border(c, x, "TRANSPOSE", "int8", 0.05, -10, NHWC)
    y = c.pool("MAX_POOL_2D", x, 2, 1)
    if last:
        y = border(c, y, "TRANSPOSE", "int8", 0.05, -10, NCHW)
    if dtype != "int8":
        y = border(c, y, "DEQUANTIZE" if dtype == "float32" else "QUANTIZE", dtype, scale, zero)
    return parse_model(write_model(c.finish(y)))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("channels_first", [False, True])
def test_borders_are_folded_and_the_bytes_are_those_of_the_file(tmp_path, dtype, channels_first):
    model = bordered(dtype, channels_first, channels_first)
    folded = fold(model)
    assert [op.kind for op in folded.model.operators] == ["MAX_POOL_2D"]
    inside = folded.model.tensors[folded.model.inputs[0]]
    assert (inside.dtype, inside.shape) == ("int8", (1, 5, 6, 3))
    assert fold(folded.model).model.inputs == folded.model.inputs
    graph = HostGraph(model, tmp_path, flags=("-O0",))
    assert graph.report.inputs == folded.inputs and graph.report.outputs == folded.outputs
    assert ("TRANSPOSE" in folded.inputs[0].text) == channels_first
    interpreter = reference(model)
    rng = np.random.default_rng(1)
    for _ in range(3):
        q = rng.integers(-128, 128, inside.shape).astype(np.int8)
        fed = folded.inputs[0].as_file_input(q)
        np.testing.assert_array_equal(folded.inputs[0].from_file_input(fed), q)
        interpreter.set_tensor(model.inputs[0], fed)
        interpreter.invoke()
        np.testing.assert_array_equal(graph.run(q)[0], interpreter.get_tensor(folded.outputs[0].tensor).reshape(-1))


def test_any_float_input_is_quantised_as_the_file_quantises_it():
    model = bordered("float32")
    border_ = fold(model).inputs[0]
    interpreter = reference(model)
    x = np.random.default_rng(0).normal(0, 5, border_.file_shape).astype(np.float32)
    x.reshape(-1)[:4] = [0.025, -0.025, 100, -100]
    interpreter.set_tensor(model.inputs[0], x)
    interpreter.invoke()
    np.testing.assert_array_equal(border_.from_file_input(x), interpreter.get_tensor(border_.tensor))


@given(st.permutations(range(1, 4)), st.sampled_from(["int8", "uint8"]), st.integers(0, 99))
def test_feeding_and_reading_are_inverse(order, dtype, seed):
    order = (0, *order)
    file_shape = (1, 2, 3, 4)
    shape = tuple(file_shape[i] for i in order)
    steps = (("TRANSPOSE", order, file_shape),)
    one = Border("x", 1, shape, 0.1, 3, 0, file_shape, dtype, steps)
    q = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
    assert one.as_file_input(q).shape == file_shape
    np.testing.assert_array_equal(one.from_file_input(one.as_file_input(q)), q)


def test_a_border_of_another_scale_is_not_folded_and_is_refused_by_name(tmp_path):
    model = bordered("uint8", first=False)
    model.tensors[model.inputs[0]].scales = np.array([0.07])
    with pytest.raises(BenchError, match=r"QUANTIZE .*uint8"):
        generate_model(model, tmp_path, variant="fast", name="m")


def test_an_operator_left_in_float_is_named_with_what_would_help(tmp_path):
    c = Composer((4, 4, 4))
    inside = border(c, c.pool("MAX_POOL_2D", 0, 2), "DEQUANTIZE", "float32")
    model = c.finish(border(c, inside, "RELU", "float32"))
    with pytest.raises(BenchError, match=r"DEQUANTIZE .*float32.*representative_dataset"):
        generate_model(model, tmp_path, variant="fast", name="m")


def test_what_works_out_a_known_shape_is_left_out(tmp_path):
    c = Composer((2, 2, 4))
    shape = c.tensor("known", (2,), None, dtype="int32")
    c.model.operators.append(Operator(0, "SHAPE", [0], [shape]))
    y = c.operator("RESHAPE", [0, shape], (1, 16), 1 / 255, -128)
    assert [x.kind for x in generate_model(c.finish(c.dense(y, 3)), tmp_path, variant="fast", name="m").layers] == [
        "FULLY_CONNECTED"
    ]
