"""The clock as an axis: what may be asked for, what it sets, and what its points and plan hold."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.device.bringup import BoardSettings
from harness.device.stand_in import CLOCK_HZ, StandInTestbed
from harness.host import cli
from harness.measure.axes import Setting, axis
from harness.runs import published
from harness.runs.sample import Point
from harness.sweep.plan import make
from testbeds.firmware.toolchain import clocks

FREQUENCY = axis("frequency")


def _options(*argv: str) -> argparse.Namespace:
    parser = cli.Parser()
    FREQUENCY.add_options(parser)
    return parser.parse_args(argv)


def test_the_defaults_are_those_of_the_paper() -> None:
    options = _options()
    assert FREQUENCY.values(options) == [64e6, 128e6, 216e6]
    assert FREQUENCY.base(options) == Setting(rate_bps=6e6)


def test_a_value_sets_the_clock_of_the_board_and_nothing_else() -> None:
    base = FREQUENCY.base(_options("--rate", "1M"))
    assert FREQUENCY.applied(base, 64e6) == Setting(rate_bps=1e6, board=BoardSettings(clock_hz=64_000_000))
    assert FREQUENCY.show(64e6) == "64 MHz"


def test_a_clock_that_the_testbed_lacks_is_refused(local_artefact: Artefact) -> None:
    testbed = StandInTestbed(local_artefact)
    FREQUENCY.check([float(CLOCK_HZ)], testbed)
    with pytest.raises(BenchError, match="stand_in can't be clocked at 100 MHz: choose from 216M"):
        FREQUENCY.check([100e6], testbed)


@pytest.mark.parametrize("text", ["", "abc", "0", "-64M", "2G", "M", "nan"])
def test_what_is_no_clock(text: str) -> None:
    with pytest.raises(BenchError):
        cli.clocks(text)


def test_each_clock_once() -> None:
    assert cli.clocks("64M, 64000000,216M") == [64_000_000, 216_000_000]


def test_the_clocks_are_those_of_the_firmware() -> None:
    source = Path(clocks.__file__).parents[1] / "ports" / "stm32f746" / "clocks.c"
    table = re.search(r"settings\[\] = \{(.*?)\};", source.read_text(), re.S)
    assert table is not None
    known = [int(hz) for hz in re.findall(r"\{(\d+)u,", table.group(1))]
    assert sorted(known) == list(clocks.STM32F746_CLOCKS_HZ)


def test_the_clock_is_part_of_the_point() -> None:
    at = [Point("a", "tiny", "compact", "virtual", 6e6, clock_hz=hz).point_id for hz in clocks.STM32F746_CLOCKS_HZ]
    assert len(set(at)) == 3


def test_one_board_changes_its_clock_as_seldom_as_its_scheme() -> None:
    points = [Point(s, "tiny", "compact", "x", 6e6, clock_hz=hz) for s in ("a", "b") for hz in (1, 2, 3)]
    taken = [(p.point.scheme, p.point.clock_hz) for p in make(points, [5, 6], [9], 0, free=False).samples]
    assert [taken[i] for i in range(0, 18, 3)] == list(dict.fromkeys(taken))


def test_published_latencies_along_the_clock() -> None:
    agile = {v.x: v.value for v in FREQUENCY.published("cifar100") if v.scheme == "agilenn"}
    assert agile == {64e6: 66.9, 128e6: 36.5, 216e6: 24.1}
    assert FREQUENCY.published("cifar10") == []  # Fig 22 lacks it, and another data set's lie on another axis
    assert {v.dataset for v in published.beside("fig22", "svhn")} == {"svhn"}
