"""The same code on the emulated M7: the oracle's bytes, and cycles that are pinned exactly."""

import numpy as np
import pytest
from branches import noise
from oracle import Oracle

from testbeds.firmware.generator import zoo
from testbeds.firmware.generator.compose import Composer
from testbeds.virtual.layer_cycles import measure

pytestmark = pytest.mark.slow

# name -> (cycles without line fills, data fills, instruction fills), by the pinned compiler (ziglang 0.17.1).
CYCLES = {
    "conv 3x3x3 -> 16 @32x32": (329468, 747, 34),
    "conv 3x3x16 -> 24 s2 @16x16": (496673, 1208, 90),
    "conv 1x1x24 -> 32 @16x16": (134512, 571, 28),
    "depthwise 3x3x24 @16x16": (77911, 587, 47),
    "depthwise 3x3x24 s2 @8x8": (29781, 403, 36),
    "dense 1024 -> 10": (6868, 360, 26),
    "conv 3x3x16 -> 16 @32x32": (1279203, 1856, 91),
    "conv 3x3x32 -> 32 @16x16": (1275024, 3360, 70),
    "conv 3x3x64 -> 64 @8x8": (1255459, 3352, 114),
}
NETWORK_CYCLES = {
    "resnet8": (7081535, 17701, 3294),
    "mobilenet_vww": (5437117, 85445, 2919),
}


# Layer of zoo.operators() -> (cycles without line fills, data fills, instruction fills).
OPERATOR_CYCLES = {
    "layer_0_logistic": (5822, 136, 7),
    "layer_1_tanh": (5822, 88, 0),
    "layer_2_hardswish": (5822, 88, 2),
    "layer_3_leakyrelu": (5822, 88, 1),
    "layer_4_mul": (26644, 160, 4),
    "layer_5_mul": (19993, 128, 10),
    "layer_6_mean": (3294, 1, 16),
    "layer_7_add": (16662, 64, 10),
    "layer_8_sub": (8729, 161, 4),
    "layer_9_mul": (5822, 136, 2),
    "layer_10_maxpool2d": (1897, 20, 6),
    "layer_11_maxpool2d": (11619, 16, 7),
    "layer_12_reducemax": (1645, 1, 16),
    "layer_14_concatenation": (3090, 159, 3),
    "layer_15_resizenearestneighbor": (9653, 326, 4),
    "layer_16_tile": (2161, 192, 4),
    "layer_17_transpose": (21023, 98, 11),
    "layer_18_slice": (6239, 18, 1),
    "layer_20_svdf": (61468, 1121, 12),
}


def equal_to_oracle(model, measured, x):
    values = Oracle(model).run(x)
    for t, got in zip(model.outputs, measured.outputs, strict=True):
        np.testing.assert_array_equal(got, values[t].reshape(-1))


@pytest.mark.parametrize("name", list(zoo.KERNELS))
def test_layers_take_these_cycles_and_stay_below_the_accepted_ones(name):
    build, most = zoo.KERNELS[name]
    model = build()
    x = noise(model)
    measured = measure(model, x)
    equal_to_oracle(model, measured, x)
    counts = measured.layers[-1].counts
    assert (counts.cycles, counts.data_fills, counts.instruction_fills) == CYCLES[name]
    assert counts.cycles_with_fills / measured.layers[-1].macs <= most


@pytest.mark.parametrize("name", list(zoo.NETWORKS))
def test_networks_take_these_cycles_and_beat_the_published_times(name):
    build, most_ms, published = zoo.NETWORKS[name]
    model = build()
    x = noise(model)
    measured = measure(model, x)
    equal_to_oracle(model, measured, x)
    total = measured.total
    assert (total.cycles, total.data_fills, total.instruction_fills) == NETWORK_CYCLES[name]
    latency_ms = total.cycles_with_fills / 216e3
    assert latency_ms <= most_ms
    assert latency_ms < min(published)


@pytest.mark.parametrize("variant", ["fast", "lean"])
def test_operators_without_an_inner_product_take_these_cycles(variant):
    """The bytes are the oracle's, and both variants are the same code."""
    model = zoo.operators()
    x = noise(model)
    measured = measure(model, x, variant=variant)
    equal_to_oracle(model, measured, x)
    counted = {r.name: (r.counts.cycles, r.counts.data_fills, r.counts.instruction_fills) for r in measured.layers}
    assert counted == OPERATOR_CYCLES


@pytest.mark.parametrize("variant", ["fast", "lean"])
def test_odd_shapes_give_the_oracle_s_bytes_on_the_m7(variant):
    """Every form of kernel once: odd widths and channels, strides, padding, pre-shift, clamps, one output channel."""
    c = Composer((9, 11, 5), seed=2, zero_point=17)
    x = c.model.inputs[0]
    made = [
        c.conv(x, 3, 3, activation="RELU6"),
        c.conv(x, 1, (2, 5), (2, 1), activation="NONE"),
        c.conv(x, 6, 3, 2, same=False, per_channel=False),
        c.conv(x, 0, 3, depthwise=True),
        c.conv(x, 0, 3, 2, depthwise=True, multiplier=2),
        c.conv(x, 0, (2, 4), depthwise=True),
        c.dense(c.reshape(x, (1, 495)), 7),
        c.add(x, c.activation(x, "QUANTIZE"), "RELU"),
        c.average_pool(x, 3, 2, same=True),
        c.mean(x),
        c.softmax(x),
        c.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))),
        c.strided_slice(x, (0, 1, 0, 2), (1, 9, 11, 5), (1, 2, 3, 1)),
        c.activation(x, "RELU6"),
    ]
    wide = c.conv(c.pad(x, ((0, 0), (0, 0), (0, 0), (0, 11))), 4, 3)
    made += [wide, c.conv(wide, 5, 1), c.conv(wide, 0, 3, depthwise=True), c.conv(wide, 0, 3, 2, depthwise=True)]
    c.gain = 2.0**9
    made.append(c.conv(x, 4, 1, activation="NONE"))
    made.append(c.conv(wide, 0, 3, depthwise=True, activation="NONE"))
    model = c.finish(*made)
    x = noise(model)
    equal_to_oracle(model, measure(model, x, variant=variant), x)


def test_cycles_do_not_depend_on_the_data():
    """No kernel branches on a value or looks one up in cached memory: one input costs what another costs."""
    c = Composer((8, 8, 8), seed=4)
    x = c.conv(c.model.inputs[0], 8, 3)
    x = c.add(x, c.conv(x, 0, 3, depthwise=True))
    x = c.softmax(c.dense(c.reshape(c.average_pool(x, 4), (1, 32)), 10))
    model = c.finish(x)
    shape = model.tensors[model.inputs[0]].shape
    seen = {measure(model, x).total for x in (np.full(shape, -128, np.int8), noise(model, 7), noise(model, 8))}
    assert len(seen) == 1


def test_a_profile_s_rows_are_the_layers_and_add_up_to_the_run():
    build, _, _ = zoo.NETWORKS["resnet8"]
    measured = measure(build(), profile=True)
    rows = measured.profile.functions
    assert {layer.name for layer in measured.layers} <= rows.keys()
    assert sum(spent.cycles for spent in rows.values()) == measured.total.cycles_with_fills
    heaviest = max(rows, key=lambda name: rows[name].cycles)
    assert rows[heaviest].cpi < 0.6 and heaviest.endswith("_conv")
