"""Reading `.tflite` files: what is written is read back; damage and what has no kernel end in one line."""

import random
import resource

import numpy as np
import pytest
from branches import graphs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from testbeds.firmware.generator import generate
from testbeds.firmware.generator.compose import Composer
from testbeds.firmware.generator.graph import generate_model
from testbeds.firmware.generator.lower import Lowering
from testbeds.firmware.generator.model import parse_model
from testbeds.firmware.generator.writer import write_model


def small():
    """Every operator once."""
    c = Composer((6, 6, 4), seed=1)
    x = c.conv(c.model.inputs[0], 4, 3)
    x = c.conv(x, 0, 3, depthwise=True)
    x = c.add(x, c.activation(x, "RELU6"))
    x = c.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = c.strided_slice(x, (0, 1, 1, 0), (1, 7, 7, 4), (1, 1, 1, 1))
    x = c.average_pool(x, 2)
    y = c.mean(x)
    x = c.softmax(c.dense(c.reshape(x, (1, 36)), 5))
    return c.finish(x, y)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(graphs(6))
def test_what_is_written_is_read_back(model):
    again = parse_model(write_model(model))
    assert (again.inputs, again.outputs) == (model.inputs, model.outputs)
    for a, b in zip(model.operators, again.operators, strict=True):
        assert (a.kind, a.inputs, a.outputs) == (b.kind, b.inputs, b.outputs)
        assert all(b.options[k] == v for k, v in a.options.items())
    for a, b in zip(model.tensors, again.tensors, strict=True):
        assert (a.name, a.shape, a.dtype, a.axis) == (b.name, b.shape, b.dtype, b.axis)
        np.testing.assert_array_equal(a.scales, b.scales)
        assert (a.data is None) == (b.data is None)
        if a.data is not None:
            np.testing.assert_array_equal(a.data, b.data)


def generated_or_refused(data):
    """Lower a file; anything but a BenchError is a crash."""
    try:
        Lowering(parse_model(data), "fast").run()
    except BenchError as e:
        assert "\n" not in str(e)
        return False
    return True


def mutations(data, count, seed):
    rng = random.Random(seed)
    for _ in range(count):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 1, 2, 4, 16])):
            at = rng.randrange(len(damaged))
            kind = rng.randrange(4)
            if kind == 0:
                damaged[at] = rng.randrange(256)
            elif kind == 1:
                damaged[at : at + 4] = rng.choice(
                    [b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\xff\xff\xff\x7f", bytes(4)]
                )
            elif kind == 2:
                damaged[at] ^= 1 << rng.randrange(8)
            else:
                del damaged[at : at + rng.randrange(1, 64)]
                if len(damaged) < 20:
                    break
        yield bytes(damaged)


@pytest.mark.slow
def test_damaged_files_are_refused_or_generated_but_never_crash():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    data = write_model(small())
    assert generated_or_refused(data)
    results = [generated_or_refused(d) for d in mutations(data, 1500, seed=1)]
    assert 100 < sum(results) < 1400  # the damage reaches both the reader and the checks
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 400


@pytest.mark.soak
def test_many_damaged_files_are_refused_or_generated_but_never_crash():
    data = write_model(small())
    for d in mutations(data, 200_000, seed=2):
        generated_or_refused(d)


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_noise_is_refused(data):
    with pytest.raises(BenchError):
        parse_model(data)
    with pytest.raises(BenchError):
        parse_model(data[:4] + b"TFL3" + data[8:] + bytes(16))


def write(tmp_path, model):
    path = tmp_path / "m.tflite"
    path.write_bytes(write_model(model))
    return path


def refused(tmp_path, model, *words):
    with pytest.raises(BenchError) as e:
        generate(write(tmp_path, model), tmp_path / "out")
    for word in words:
        assert word in str(e.value)
    assert not (tmp_path / "out").exists()


def test_an_operator_without_a_kernel_is_named_with_its_tensor(tmp_path):
    c = Composer((4, 4, 4))
    y = c.operator("ELU", [c.model.inputs[0]], (1, 4, 4, 4), 1 / 128, 0)
    refused(tmp_path, c.finish(y), "operator 0 ELU", "'elu_0'", "no kernel", "LEAKY_RELU")


def test_an_operator_with_a_state_is_named_and_told_what_would_help(tmp_path):
    c = Composer((4, 4, 4))
    state = c.tensor("hidden", (1, 8), 0.1)
    c.model.tensors[state].variable = True
    y = c.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", [c.model.inputs[0], state], (1, 4, 4, 4), 1 / 128, 0)
    refused(tmp_path, c.finish(y), "operator 0 UNIDIRECTIONAL_SEQUENCE_LSTM", "keeps a state", "unroll=True", "SVDF")


def test_a_state_that_nothing_declares_is_still_damage(tmp_path):
    c = Composer((4, 4, 4))
    loose = c.tensor("loose", (1, 4, 4, 4), 0.1)
    y = c.add(c.model.inputs[0], loose)
    refused(tmp_path, c.finish(y), "reads 'loose' before it is written")


def test_an_operator_of_its_own_is_named(tmp_path):
    c = Composer((4, 4, 4))
    y = c.operator("CUSTOM", [c.model.inputs[0]], (1, 4, 4, 4), 1 / 128, 0)
    refused(tmp_path, c.finish(y), "operator 0 CUSTOM", "on the host")


def test_another_activation_is_named(tmp_path):
    c = Composer((4, 4, 4))
    y = c.conv(c.model.inputs[0], 4, 3)
    c.model.operators[0].options["FusedActivationFunction"] = "RELU_N1_TO_1"
    refused(tmp_path, c.finish(y), "CONV_2D", "'conv_2d_0'", "RELU_N1_TO_1")


def test_a_dynamic_shape_is_named(tmp_path):
    c = Composer((4, 4, 4))
    y = c.conv(c.model.inputs[0], 4, 3)
    c.model.tensors[y].shape = (1, -1, 4, 4)
    refused(tmp_path, c.finish(y), "'conv_2d_0'", "dynamic shape")


def test_dilation_is_named(tmp_path):
    c = Composer((8, 8, 4))
    y = c.conv(c.model.inputs[0], 4, 3)
    c.model.operators[0].options["DilationHFactor"] = 2
    refused(tmp_path, c.finish(y), "CONV_2D", "dilated")


def test_a_float_model_is_told_to_be_quantised(tmp_path):
    c = Composer((4, 4, 4))
    y = c.conv(c.model.inputs[0], 4, 3)
    c.model.tensors[y].dtype = "float32"
    refused(tmp_path, c.finish(y), "float32", "int8")


def test_too_much_ram_is_refused_by_how_much(tmp_path):
    c = Composer((200, 200, 3))
    y = c.conv(c.model.inputs[0], 8, 3)
    refused(tmp_path, c.finish(y), "RAM", "more than the board's 327680")


def test_too_much_flash_is_refused_by_how_much_and_points_to_the_lean_variant(tmp_path):
    c = Composer((3, 3, 256))
    x = c.model.inputs[0]
    for _ in range(9):
        x = c.conv(x, 256, 1)
    model = c.finish(x)
    refused(tmp_path, model, "flash", "more than the board's 1048576", "lean")
    assert generate(write(tmp_path, model), tmp_path / "lean", variant="lean").constant_bytes < 1 << 20


def test_a_file_that_is_not_there_or_a_variant_that_does_not_exist(tmp_path):
    with pytest.raises(BenchError, match="cannot read"):
        generate(tmp_path / "none.tflite", tmp_path / "out")
    with pytest.raises(BenchError, match="variant 'tiny'"):
        generate(write(tmp_path, small()), tmp_path / "out", variant="tiny")


def test_generation_is_deterministic_and_says_what_it_made(tmp_path):
    path = write(tmp_path, small())
    first, second = (generate(path, tmp_path / n) for n in "ab")
    assert first == second
    assert (tmp_path / "a" / "graph.c").read_bytes() == (tmp_path / "b" / "graph.c").read_bytes()
    assert first.macs == 6 * 6 * 4 * 36 + 6 * 6 * 4 * 9 + 36 * 5
    assert [layer.kind for layer in first.layers][:3] == ["CONV_2D", "DEPTHWISE_CONV_2D", "RELU6"]


def test_no_weights_lie_between_names_that_c_does_not_allow(tmp_path):
    c = Composer((4, 4, 4))
    c.model.tensors[0].name = 'x"; */ #error'
    report = generate_model(c.finish(c.conv(c.model.inputs[0], 4, 3)), tmp_path, variant="fast", name='a*/"b')
    text = (tmp_path / "graph.c").read_text() + (tmp_path / "graph.h").read_text()
    assert "#error" not in text
    assert 'a*/"b' not in text
    assert report.layers
