"""Where pictures exit early, both kinds of latency are taken from the timed ones and weighed by the whole test set."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis.captions import rule
from harness.analysis.cells import Accuracy, Cell, cells
from harness.analysis.datum import read_run
from harness.measure.axes import axis
from harness.report import outcome
from harness.runs.measurements import STAGES
from harness.runs.paths import REFERENCE


def row(image: int, total: float, *, exited: bool = False) -> dict[str, Any]:
    sending = {"encode": 0.0, "network": 0.0, "remote": 0.0} if exited else {"encode": 1.0, "remote": 1.0}
    stages = {"local": 4.0, "combine": 0.5, "network": total - 6.5} | sending
    energy = {"energy_local_uj": 40.0, "energy_network_uj": 0.0 if exited else 100.0, "energy_combine_uj": 5.0}
    fixed = {"scheme": "far", "rate_bps": 6e6, "warmup": False, "status": "ok", "total_ms_source": "modelled"}
    size = {"payload_bytes": 0 if exited else 700, "device_cycles": 9 if exited else 11}
    times = {f"{stage}_ms": ms for stage, ms in stages.items()}
    whole = {"total_ms": total, "energy_uj": 45.0 if exited else 145.0}
    return fixed | times | energy | size | whole | {"image": image, "exited": exited, "retries": 0}


LEFT = [row(i, 4.5, exited=True) for i in range(2)]
SENT = [row(i, 20.5) for i in range(2, 8)]


def cell(rows: list[dict[str, Any]], exits: float | None) -> Cell:
    known = None if exits is None else {"far": Accuracy(8000, 10_000, round(10_000 * exits))}
    (found,) = cells(rows, "rate_bps", accuracies=known)
    return found


def test_the_test_set_weighs_and_not_the_few_timed_pictures() -> None:
    found = cell(LEFT + SENT, 0.6)
    assert (found.statistic, found.exited_share) == ("weighted mean", 0.6)
    assert found.middle("total_ms") == pytest.approx(0.6 * 4.5 + 0.4 * 20.5)
    assert found.latency is not None
    assert found.latency.middle == found.middle("total_ms")
    assert sum(found.middle(f"{stage}_ms") or 0.0 for stage in STAGES) == pytest.approx(found.latency.middle)
    assert found.middle("payload_bytes") == pytest.approx(280)
    assert found.late_share(10.0) == pytest.approx(0.4)


def test_without_a_share_a_mean_of_the_timed_ones_stands() -> None:
    found = cell(LEFT + SENT, None)
    assert (found.statistic, found.exited_share) == ("mean", 0.25)
    assert found.middle("total_ms") == pytest.approx((2 * 4.5 + 6 * 20.5) / 8)
    assert found.late_share(10.0) == 0.75


def test_an_exit_that_no_timed_picture_took_is_local_and_combine() -> None:
    found = cell(SENT, 0.5)
    assert found.mixed
    assert found.middle("total_ms") == pytest.approx(12.5)
    assert sum(found.middle(f"{stage}_ms") or 0.0 for stage in STAGES) == pytest.approx(12.5)
    assert found.middle("energy_uj") == pytest.approx(0.5 * 45 + 0.5 * 145)
    assert found.middle("payload_bytes") == 350
    assert found.middle("device_cycles") is None  # what encoding took of them is not told


def test_where_only_exits_were_timed_nothing_is_made_up() -> None:
    found = cell(LEFT, 0.5)
    assert (found.latency, found.middle("total_ms"), found.late_share(1.0)) == (None, None, None)
    said = outcome.warnings([found], LEFT, axis("bandwidth"))
    assert said == [
        "far at 6 Mbit/s: all timed pictures exited early, of the test set 50 % are sent: "
        "no latency can be told, time more pictures (--images)"
    ]


@pytest.mark.parametrize("exits", [None, 0.0])
def test_without_exits_the_median_stands(exits: float | None) -> None:
    found = cell([*SENT[:-1], row(9, 99.0)], exits)
    assert (found.statistic, found.mixed) == ("median", False)
    assert found.middle("total_ms") == 20.5
    assert rule([found]) == "median over the pictures"


def test_captions_say_what_the_figures_are() -> None:
    assert rule([cell(SENT, 0.0), cell(SENT, 0.5)]).endswith(
        "the mean weighted by the share of the whole test set that exits"
    )
    assert rule([cell(LEFT + SENT, None)]).endswith("where some of the timed pictures exit early, their mean")
    assert rule([cell(SENT, None)], ours="mean") == "mean over the pictures"


def _by_stage(image: int, *, exited: bool, void: bool = False) -> dict[str, Any]:
    """A sample as runs keep it: what an exit did not do has no energy, and no wall time of the edge."""
    nothing: dict[str, Any] = {"energy_encode_uj": None, "energy_network_uj": None, "remote_wall_ms": None}
    sent: dict[str, Any] = {"energy_encode_uj": 4.0, "energy_network_uj": 100.0, "remote_wall_ms": 2.0}
    whole = row(image, 4.5 if exited else 20.5, exited=exited) | (nothing if exited else sent)
    energies = [name for name in whole if name.startswith("energy_")]
    return whole | dict.fromkeys(energies) if void else whole


@pytest.mark.parametrize("exits", [None, 0.5])
def test_a_stage_that_did_not_take_place_costs_nothing_so_its_mean_exists(exits: float | None) -> None:
    found = cell([*(_by_stage(i, exited=i % 2 == 0) for i in range(6)), _by_stage(9, exited=True, void=True)], exits)
    share = 0.5 if exits else 4 / 7
    assert found.middle("energy_network_uj") == pytest.approx(50.0)
    assert found.middle("energy_encode_uj") == pytest.approx(2.0)
    assert found.middle("remote_wall_ms") == pytest.approx(2.0 * (1 - share))
    interval = found.interval("energy_network_uj")
    assert interval is not None and interval.n == 6  # the void one has no say


def test_what_was_not_measured_has_no_mean() -> None:
    rows = [_by_stage(i, exited=i % 2 == 0) | {"energy_encode_uj": None} for i in range(6)]
    assert cell(rows, 0.5).middle("energy_encode_uj") is None  # too short for the probe where it took place
    assert cell([_by_stage(i, exited=i % 2 == 0, void=True) for i in range(6)], 0.5).middle("energy_network_uj") is None


@pytest.mark.slow
def test_what_partition_draws_on_the_device_is_not_its_waiting() -> None:
    """Of the reference run at 270 kbit/s: 5.6 mJ of network and some encoding, not all 49.6."""
    (found,) = [
        c
        for c in read_run(REFERENCE / "runs" / "cifar10-bandwidth").cells
        if (c.scheme, c.value) == ("partition", 270e3)
    ]
    whole, waiting = found.middle("energy_uj"), found.middle("energy_network_uj")
    assert whole is not None and waiting is not None
    assert 5500 < whole - waiting < 6000
