"""What lost packets cost, exactly: the arithmetic of the link over everything that chance may do."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest

from harness.analysis import chance, tail
from harness.analysis.captions import rule
from harness.analysis.cells import Accuracy, Cell, cells
from harness.analysis.chance import Chance
from harness.analysis.datum import RunData, read_run
from harness.contracts.link import LinkSpec
from harness.contracts.tcp_line import Retransmission, TcpLine
from harness.measure.axes import axis
from harness.report import outcome
from harness.runs.paths import REFERENCE
from harness.show import tables

LINK = Chance(Retransmission(), 1448, 66)
SECOND = 10**9


def row(image: int, *, loss: float, payload: int = 500, exited: bool = False, hit: bool = False) -> dict[str, Any]:
    """A timed picture at 6 Mbit/s: 5 ms beside the link, whatever luck it had."""
    up = 0 if exited else (payload + 66) * 8e3 / 6e6 + (1000 if hit else 0)
    down = 0 if exited else 148 * 8e3 / 6e6
    plain = {"scheme": "far", "rate_bps": 6e6, "delay_ms": 0.0, "limit_packets": None, "clock_hz": 216_000_000}
    sizes = {"mqtt_bytes": 0 if exited else payload, "mqtt_down_bytes": None if exited else 82}
    times = {"total_ms": 5 + up + down, "network_ms": up + down, "link_up_ms": up, "link_down_ms": down}
    kept = {"image": image, "exited": exited, "warmup": False, "status": "ok", "loss": loss, "order": image}
    told = {"total_ms_source": "modelled", "repeated_segments": int(hit)}
    return plain | sizes | times | kept | told


def cell(rows: list[dict[str, Any]], link: Chance | None = LINK, exits: float | None = None) -> Cell:
    known = None if exits is None else {"far": Accuracy(8000, 10_000, round(10_000 * exits))}
    (found,) = cells(rows, "loss", statistic="mean", accuracies=known, chance=link)
    return found


def test_one_segment_is_a_sum_that_can_be_done_by_hand() -> None:
    """Lost k times it waits for 1, 3, 7 ... seconds, and comes through with 1 - p."""
    loss, way = 0.1, (566 * 8e3 / 6e6)
    found = dict(LINK.passage_ms("up", 500, row(0, loss=loss)))
    assert math.fsum(found.values()) == pytest.approx(1.0)
    for ms, times in ((way, 0), (1000 + way, 1), (3000 + way, 2), (7000 + way, 3)):
        nearest = min(found, key=lambda have: abs(have - ms))
        assert nearest == pytest.approx(ms, abs=1e-3)
        assert found[nearest] == pytest.approx(loss**times * (1 - loss), rel=1e-6)


@pytest.mark.parametrize("payload", [500, 2300, 6000])
def test_thousands_of_seeds_come_to_the_same(payload: int) -> None:
    sample = row(0, loss=0.1, payload=payload)
    line, seen = TcpLine(SECOND, LINK.retransmission), []
    for seed in range(4000):
        line.seed = seed
        line.apply(LinkSpec.symmetric(6e6, 0.0, 0.0, 0.1, None))
        seen.append(line.send("up", payload, 0).arrived * 1e3 / SECOND)
    exact = LINK.passage_ms("up", payload, sample)
    error = np.std(seen) / math.sqrt(len(seen))
    assert chance.mean(exact) == pytest.approx(np.mean(seen), abs=4 * error)


def test_luck_of_the_timed_pictures_has_no_say() -> None:
    lucky, unlucky = ([row(i, loss=0.05, hit=i in hits) for i in range(20)] for hits in ((), (0, 1, 2, 3)))
    assert cell(lucky).middle("total_ms") == pytest.approx(cell(unlucky).middle("total_ms"))
    plain = cell([row(i, loss=0.0) for i in range(20)]).middle("total_ms")
    assert plain == pytest.approx(5 + 566 * 8e3 / 6e6 + 148 * 8e3 / 6e6)
    assert cell(unlucky).middle("total_ms") == pytest.approx(
        plain + 5 / 95 * 1000 * 1.06 + 5 / 95 * 200 * 1.06, rel=0.01
    )
    assert cell(unlucky, None).middle("total_ms") == pytest.approx(plain + 200)  # a real board has but its samples
    assert "exact chance" in rule([cell(lucky)], ours="mean")


def test_tail_and_deadline_are_exact_too() -> None:
    found = cell([row(i, loss=0.05) for i in range(20)])
    assert found.percentile(90) == pytest.approx(5.95, abs=0.01)
    # 0.95 * 0.95 come through at once, another 0.045 after the shorter time-out alone.
    assert found.percentile(94) == pytest.approx(205.95, abs=0.01)
    assert found.percentile(95) == pytest.approx(1005.95, abs=0.01)
    assert found.late_share(500.0) == pytest.approx(
        1 - 0.95 * 0.9975, abs=1e-4
    )  # up at once, down at most one time-out
    (line,) = tail.rows([found], "loss", 500.0)
    assert (line["total_ms_max"], line.get("missed")) == (None, None)
    assert tail.missed_text(line) == "5.2 %"
    assert tables.cell_text(found) == f"{found.middle('total_ms'):.1f} (p95 1,006.0)"
    assert cell([row(i, loss=0.05) for i in range(20)], None).percentile(95) is None  # 20 samples do not carry it


def test_exits_lose_nothing() -> None:
    rows = [row(i, loss=0.2, exited=i < 5) for i in range(10)]
    sent = cell(rows[5:]).middle("total_ms")
    assert sent is not None
    assert cell(rows, exits=0.75).middle("total_ms") == pytest.approx(0.75 * 5.0 + 0.25 * sent)
    assert cell(rows, exits=0.75).percentile(50) == 5.0
    assert cell(rows[:5], exits=0.75).percentile(95) is None  # what is sent was not timed


def test_on_a_board_the_hits_are_counted() -> None:
    rows = [row(i, loss=0.02, hit=i == 3) | {"repeated_segments": None} for i in range(20)]
    (said,) = [s for s in outcome.warnings([cell(rows, None)], rows, axis("loss")) if "hit" in s]
    assert said == "far: samples that a loss hit: 1 of 20 at 2 % (the mean rests on these few)"
    exact = [s for s in outcome.warnings([cell(rows)], rows, axis("loss")) if "hit" in s]
    assert exact == ["far: samples that a loss hit: 1 of 20 at 2 %"]


@cache
def reference() -> RunData:
    return read_run(REFERENCE / "runs" / "cifar10-loss")


@pytest.mark.slow
def test_a_timed_picture_is_one_of_the_outcomes() -> None:
    """The emulated board's own samples verify the arithmetic: each took one of the ways that are counted."""
    (link,) = {c.chance for c in reference().cells}
    assert link is not None
    taken = [r for c in reference().cells for r in c.rows if r["scheme"] in ("agilenn", "full_offload") and r["loss"]]
    assert sum(r["repeated_segments"] > 0 for r in taken) > 10
    for sample in taken:
        outcomes = link.total_ms(sample)
        assert min(abs(ms - sample["total_ms"]) for ms, _ in outcomes) < 1e-3


@pytest.mark.slow
def test_the_loss_axis_of_the_reference_run_is_not_its_luck() -> None:
    """20 pictures with the same few losses gave 107, 197, 247 and 347 ms."""
    agile = {c.value: c.middle("total_ms") or 0.0 for c in reference().cells if c.scheme == "agilenn"}
    assert [round(agile[loss]) for loss in (0.0, 0.02, 0.05, 0.1)] == [7, 32, 73, 156]
