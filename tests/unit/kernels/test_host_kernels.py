"""The generated kernels against plain numpy, bit for bit, over random shapes and scales."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from branches import graphs, noise
from hostgraph import ALIGNED, HostGraph
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle import Oracle

from testbeds.firmware.generator import zoo
from testbeds.firmware.generator.compose import Composer
from testbeds.firmware.generator.dense_pairs import packable

pytestmark = pytest.mark.slow


def check(model, variant="fast", images=2, flags=("-O0", *ALIGNED)):
    with tempfile.TemporaryDirectory() as folder:
        graph = HostGraph(model, Path(folder), variant, flags)
        states = {}
        for seed in range(images):
            x = noise(model, seed)
            values = Oracle(model).run(x, states)
            for t, got in zip(model.outputs, graph.run(x), strict=True):
                want = values[t].reshape(-1)
                wrong = np.flatnonzero(want != got)
                producer = next((o for o in model.operators if t in o.outputs), None)
                assert wrong.size == 0, f"{producer}: {wrong.size} of {want.size}, first {wrong[0]}"
    return graph


@settings(
    max_examples=12,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # shrinking would compile hundreds of graphs
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(graphs(), st.sampled_from(["fast", "fast", "lean"]))
def test_random_operators_equal_the_oracle_to_the_bit(model, variant):
    check(model, variant)


@pytest.mark.soak
@settings(
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(graphs(20), st.sampled_from(["fast", "lean"]))
def test_many_random_operators_equal_the_oracle_to_the_bit(model, variant):
    check(model, variant, flags=("-O3", *ALIGNED))


@pytest.mark.parametrize("variant", ["fast", "lean"])
def test_long_inner_products_take_every_form_of_loop(variant):
    """Wide channels: unrolled, looped over kernel rows, looped over chunks, with and without a rest; odd sizes."""
    c = Composer((5, 7, 100), seed=3, zero_point=3)
    x = c.model.inputs[0]
    made = [
        c.conv(x, 6, 1),
        c.conv(x, 5, 3),
        c.conv(x, 3, 3, 2, activation="NONE"),
        c.conv(x, 4, (2, 3), same=False),
        c.conv(x, 7, (1, 5), activation="RELU6"),
        c.conv(x, 2, 5),
        c.conv(c.average_pool(x, 5), 9, 1),
        c.dense(c.reshape(x, (1, 3500)), 11),
        c.conv(x, 0, 3, depthwise=True),
        c.conv(x, 0, 3, 2, same=False, depthwise=True),
    ]
    check(c.finish(*made), variant)


def test_a_whole_network_equals_the_oracle():
    """Its lean kernels; the emulated M7 runs the fast ones (test_m7_kernels.py)."""
    check(zoo.resnet8(), "lean", images=1, flags=("-O1", *ALIGNED))


def test_scales_above_one_and_shift_zero_are_exact():
    """Factors from 2^-30 to 2^6 pass through every shift, the pre-shift for 0.25 and above included."""
    c = Composer((4, 4, 4), seed=5)
    x = c.model.inputs[0]
    made = []
    for exponent in range(-30, 7):
        c.gain = 2.0**exponent * 73 * 60 * 2 / 40
        made.append(c.conv(x, 3, 1, activation="NONE", per_channel=False))
    check(c.finish(*made))


@pytest.mark.parametrize("inputs", [4, 31, 516, 1100, 2000])
def test_dense_layers_at_the_limits_of_two_outputs_a_half(inputs):
    """Weights of one sign and inputs at both ends: the sums that two outputs share are taken apart before they wrap."""
    made = []
    c = Composer((1, 1, inputs), seed=inputs, zero_point=-128)
    flat = c.reshape(c.model.inputs[0], (1, inputs))
    for outputs, fills in ((4, (127, -127)), (10, (-127, 127)), (3, (127, 127)), (7, (-127, -127)), (1, (127, 0))):
        made.append(c.dense(flat, outputs, per_channel=True))
        weights = next(t for t in reversed(c.model.tensors) if t.name == "weights")
        weights.data = np.stack([np.full(inputs, fills[i % 2]) for i in range(outputs)]).astype(np.int8)
        weights.scales = weights.scales / np.sqrt(inputs)  # so that the results do not all saturate
    model = c.finish(*made)
    with tempfile.TemporaryDirectory() as folder:
        graph = HostGraph(model, Path(folder), flags=("-O0",))
        for x in (np.full(inputs, -128, np.int8), np.full(inputs, 127, np.int8), noise(model)):
            values = Oracle(model).run(x.reshape(1, 1, 1, inputs))
            for t, got in zip(made, graph.run(x), strict=True):
                np.testing.assert_array_equal(got, values[t].reshape(-1))


def test_dense_layers_with_a_weight_of_minus_128():
    """256 * -128 + a negative weight fits no half: such a layer is summed output by output."""
    c = Composer((1, 1, 40), seed=2)
    y = c.dense(c.reshape(c.model.inputs[0], (1, 40)), 10)
    weights = next(t for t in c.model.tensors if t.name == "weights")
    assert packable(weights.data)
    weights.data[::2, 3] = -128
    weights.data[1::2, 3] = -1
    assert not packable(weights.data)
    check(c.finish(y))


def test_an_accumulator_at_its_limits():
    """The largest weights and inputs, and biases near 2**30."""
    c = Composer((3, 3, 64), seed=6, zero_point=127)
    y = c.conv(c.model.inputs[0], 4, 3, activation="NONE", per_channel=True)
    for i, t in enumerate(c.model.tensors):
        if t.name == "weights":
            t.data = np.where(np.arange(t.elements).reshape(t.shape) % 2, 127, -128).astype(np.int8)
        if t.name == "bias":
            t.data = np.array([2**30, -(2**30), 0, 1], np.int32)
        c.model.tensors[i] = t
    check(c.finish(y))
