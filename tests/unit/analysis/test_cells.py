"""Where pictures exit early, both kinds of latency are taken from the timed ones and weighed by the whole test set."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis.cells import Accuracy, Cell, cells, rule
from harness.measure.axes import axis
from harness.report import outcome
from harness.runs.measurements import STAGES


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
