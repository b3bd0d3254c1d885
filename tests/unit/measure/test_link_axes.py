"""The axes delay and loss, and the options that say what a link is to be."""

from __future__ import annotations

import argparse

import pytest

from harness.analysis.stats import mean_interval
from harness.commands.sweep_options import parser as made
from harness.contracts.errors import BenchError
from harness.contracts.link import LinkSpec
from harness.host import cli
from harness.measure import axes
from harness.measure.axes import Axis
from harness.runs.sample import Point


def options(*words: str) -> tuple[Axis, argparse.Namespace]:
    return axes.axis(words[0]), made(None).parse_args(list(words))


def test_delay_is_one_way_and_in_both_directions() -> None:
    axis, asked = options("delay", "--delays", "5,20ms,5", "--rate", "1M", "--jitter", "2", "--loss", "1%")
    assert axis.values(asked) == [5.0, 20.0]
    spec = axis.applied(axis.base(asked), 20.0).link
    assert spec == LinkSpec.symmetric(1e6, 20.0, 2.0, 0.01)
    assert axis.show(20.0) == "20 ms"
    assert axis.column == "delay_ms"


def test_loss_is_a_share_or_percent() -> None:
    axis, asked = options("loss", "--losses", "0,0.5%,0.02", "--delay", "5", "--limit", "40")
    assert axis.values(asked) == [0.0, 0.005, 0.02]
    spec = axis.applied(axis.base(asked), 0.02).link
    assert (spec.up.loss, spec.down.delay_ms, spec.up.limit_packets, spec.up.rate_bps) == (0.02, 5.0, 40, 6e6)
    assert [axis.show(v) for v in (0.0, 0.005, 0.1)] == ["0 %", "0.5 %", "10 %"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["loss", "--losses", "100%"], "100%"),
        (["loss", "--losses", "-0.1"], "-0.1"),
        (["loss", "--losses", "many"], "many"),
        (["loss", "--losses", ","], "empty"),
        (["delay", "--delays", "-1,5"], "delays"),
        (["delay", "--delays", "1e9"], "1e9"),
        (["delay", "--rate", "0"], "rate"),
        (["delay", "--limit", "0"], "--limit"),
    ],
)
def test_a_value_that_can_not_be_is_one_line(words: list[str], told: str) -> None:
    with pytest.raises(BenchError, match=told) as error:
        made(None).parse_args(words)
    assert error.value.cure


def test_more_jitter_than_delay_is_refused_with_a_cure() -> None:
    axis, asked = options("delay", "--jitter", "5")
    assert axis.applied(axis.base(asked), 5.0)
    with pytest.raises(BenchError, match="jitter_ms is more than delay_ms"):
        axis.applied(axis.base(asked), 0.0)


def test_points_of_a_plain_link_keep_the_hash_that_they_had() -> None:
    plain = Point("a", "b", "c", "d", 6e6)
    assert plain.point_id == Point("a", "b", "c", "d", 6e6, loss=0.0, jitter_ms=0.0, limit_packets=None).point_id
    others = [Point("a", "b", "c", "d", 6e6, **kw) for kw in ({"loss": 0.1}, {"jitter_ms": 1.0}, {"limit_packets": 3})]  # type: ignore[arg-type]
    assert len({p.point_id for p in [plain, *others]}) == 4


def test_shares_and_times() -> None:
    assert (cli.chance("2%"), cli.chance("0.02"), cli.milliseconds("2.5ms")) == (0.02, 0.02, 2.5)


def test_a_mean_shows_what_is_rare() -> None:
    values = [10.0] * 9 + [1010.0]
    found = mean_interval(values)
    assert found is not None and found.middle == 110.0
    assert found.low == 10.0 and found.high is not None and found.high > 200
