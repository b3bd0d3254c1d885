"""The arena: no two tensors that live together overlap, and nothing is larger than it must be."""

import pytest
from branches import graphs
from hypothesis import HealthCheck, given, settings

from testbeds.firmware.generator import zoo
from testbeds.firmware.generator.compose import Composer
from testbeds.firmware.generator.lower import Lowering
from testbeds.firmware.generator.plan import plan


def planned(model):
    lowering = Lowering(model, "fast")
    layers = lowering.run()
    return layers, lowering.aliases, plan(model, layers, lowering.aliases)


def check_no_live_bytes_are_overwritten(model):
    """Play the layers on a map of who owns each byte."""
    layers, aliases, placed = planned(model)

    def root(t):
        while t in aliases:
            t = aliases[t]
        return t

    owner = {}

    def fill(t):
        for at in range(placed.offsets[t], placed.offsets[t] + model.tensors[t].bytes):
            owner[at] = root(t)

    def holds(t):
        span = range(placed.offsets[t], placed.offsets[t] + model.tensors[t].bytes)
        assert span.stop <= placed.arena_bytes
        assert all(owner[at] == root(t) for at in span), f"tensor {t} was overwritten"

    states = {t for layer in layers for t in layer.inputs if model.tensors[t].variable}
    for t in (model.inputs[0], *states):
        fill(t)
    for layer in layers:
        for t in layer.inputs:
            holds(t)
        fill(layer.output)
    for t in (*model.outputs, *states):
        holds(t)
    return placed


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(graphs(8))
def test_random_graphs_keep_what_is_alive(model):
    check_no_live_bytes_are_overwritten(model)


def test_the_networks_need_no_more_than_their_largest_layer():
    for build, *_ in zoo.NETWORKS.values():
        placed = check_no_live_bytes_are_overwritten(build())
        assert placed.arena_bytes == placed.layer_bound_bytes


def test_a_sum_takes_the_place_of_a_dead_operand_and_not_of_a_live_one():
    c = Composer((8, 8, 16))
    a = c.conv(c.model.inputs[0], 16, 1)
    b = c.conv(a, 16, 1)
    total = c.add(a, b)
    _, _, placed = planned(c.finish(total, a))
    assert placed.offsets[total] == placed.offsets[b]
    assert placed.offsets[total] != placed.offsets[a]
