"""The whole test set: its payloads are counted, and a law in bytes that timed pictures check says what each takes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import tail
from harness.analysis.captions import complaints, rule
from harness.analysis.cells import Accuracy, Cell, cells
from harness.analysis.chance import Chance
from harness.analysis.datum import read_run
from harness.analysis.whole_set import TOLERANCE, fit
from harness.contracts.tcp_line import Retransmission
from harness.measure.axes import axis
from harness.report import outcome
from harness.runs import answers
from harness.runs.manifest import AccuracyFacts
from harness.runs.measurements import STAGES
from harness.runs.paths import REFERENCE
from harness.show import tables

SIZES = (300, 340, 380, 420)
COUNTED = ((250, 1000), (340, 8000), (600, 1000))


def row(image: int, size: int, *, exited: bool = False, off_ms: float = 0.0) -> dict[str, Any]:
    """A sample on a link that nothing is known of: 2 ms and 4 us a byte, of which the encoder takes a tenth."""
    sent = {"encode_ms": 0.1 + size * 4e-4, "network_ms": 0.9 + size * 3.6e-3 + off_ms, "remote_ms": 1.0}
    gone = dict.fromkeys(sent, 0.0)
    times = {"local_ms": 0.5, "combine_ms": 0.0, **(gone if exited else sent)}
    fixed = {"scheme": "far", "rate_bps": 6e6, "warmup": False, "status": "ok", "total_ms_source": "modelled"}
    seen = {"image": image, "exited": exited, "payload_bytes": 0 if exited else size, "retries": 0}
    return fixed | times | seen | {"total_ms": sum(times.values())}


def cell(rows: list[dict[str, Any]], payloads: Any = COUNTED, exited: int = 0) -> Cell:
    known = Accuracy(8000, 10_000 + exited, exited, payloads)
    (found,) = cells(rows, "rate_bps", accuracies={"far": known})
    return found


SENT = [row(i, size) for i, size in enumerate(SIZES)]


def test_mean_and_percentiles_are_those_of_all_payloads() -> None:
    found = cell(SENT)
    mean_bytes = (250 * 1000 + 340 * 8000 + 600 * 1000) / 10_000
    assert (found.statistic, found.where_sent("payload_bytes")) == ("test-set mean", mean_bytes)
    assert found.middle("total_ms") == pytest.approx(2.5 + 4e-3 * mean_bytes)
    assert sum(found.middle(f"{stage}_ms") or 0.0 for stage in STAGES) == pytest.approx(found.middle("total_ms"))
    assert found.percentile(95) == pytest.approx(2.5 + 4e-3 * 600)
    assert found.percentile(90) == pytest.approx(2.5 + 4e-3 * 340)
    assert found.late_share(4.0) == pytest.approx(0.1)
    assert found.whole and found.whole.outside == pytest.approx(0.2)  # 250 and 600 B were not timed
    assert complaints(found) == []
    assert rule([found]).endswith("off by at most 0.00 % on any)")


def test_early_exits_have_the_test_sets_share() -> None:
    found = cell([*SENT, row(9, 0, exited=True)], exited=30_000)
    assert found.middle("total_ms") == pytest.approx(0.75 * 0.5 + 0.25 * (2.5 + 4e-3 * 357))
    assert found.percentile(50) == pytest.approx(0.5)
    assert found.middle("payload_bytes") == pytest.approx(0.25 * 357)
    assert found.where_sent("payload_bytes") == 357
    assert found.late_share(1.0) == pytest.approx(0.25)


def test_a_picture_that_the_law_misses_is_told_and_the_timed_ones_stand() -> None:
    found = cell([*SENT[:3], row(3, 420, off_ms=0.5)])
    assert found.whole is None and found.law is not None
    assert (found.law.worst_miss() or 0) > TOLERANCE
    assert found.statistic == "median"
    said = outcome.warnings([found], SENT, axis("bandwidth"))
    assert [line for line in said if "law" in line] == [
        "far at 6 Mbit/s: the law in bytes misses a timed picture by 10.7 % of its latency, 1 % may be: told of the "
        "timed ones alone"
    ]


def test_what_was_not_counted_is_none_and_never_zero() -> None:
    found = cell(SENT, payloads=None)
    assert (found.law, found.whole, found.statistic) == (None, None, "median")
    assert complaints(found) == []  # nobody asked
    (line,) = tables.table([found], "bandwidth", {})
    assert [line[name] for name in ("payload_sent_bytes_p95", "law_miss_share", "law_outside_share")] == [None] * 3
    assert line["payload_sent_bytes"] == 360
    for few in (SENT[:2], [row(i, 300) for i in range(4)]):  # no law: two pictures, or one size of several
        assert cell(few).law is None
        assert "too few" in complaints(cell(few))[0]


def test_tables_show_the_tail_of_the_whole_test_set() -> None:
    found = cell(SENT)
    assert tables.cell_text(found) == "3.9 (p95 4.9)"
    assert tables.bytes_text(found) == "357 / –"
    (line,) = tail.rows([found], "bandwidth", 4.0)
    assert line["total_ms_p95"] == pytest.approx(4.9)
    assert (line["missed_share"], line["total_ms_max"]) == (pytest.approx(0.1), pytest.approx(4.9))


def test_a_scheme_that_sends_nothing_takes_the_same_for_every_picture() -> None:
    silent = [row(i, 0) | {"encode_ms": 0.0, "network_ms": 0.0, "remote_ms": 0.0, "total_ms": 0.5} for i in range(4)]
    found = cell(silent, payloads=())
    assert (found.middle("total_ms"), found.percentile(95), found.middle("payload_bytes")) == (0.5, 0.5, 0.0)
    assert found.latency is not None and found.latency.n == 10_000


@given(st.lists(st.tuples(st.integers(1, 5000), st.floats(0, 100)), min_size=3, max_size=12))
def test_a_miss_is_that_of_the_fit_to_all_others(pairs: list[tuple[int, float]]) -> None:
    x, y = [float(a) for a, _ in pairs], [b for _, b in pairs]
    law = fit(x, y)
    for i, miss in enumerate(law.misses):
        rest = [j for j in range(len(x)) if j != i]
        if miss is None or (len({x[j] for j in rest}) == 1) != (len(set(x)) == 1):
            continue
        other = fit([x[j] for j in rest], [y[j] for j in rest])
        assert miss == pytest.approx(y[i] - other.at(x[i]), abs=1e-5, rel=1e-4)


REFERENCES = [f"{dataset}-{name}" for dataset in ("cifar10", "cifar100") for name in ("bandwidth", "loss")]


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCES)
def test_on_the_emulated_board_the_law_holds_for_every_scheme_and_rate(name: str) -> None:
    """Payloads of the timed pictures stand for the test set's: then both ways of telling a mean agree."""
    for own in read_run(REFERENCE / "runs" / name).cells:
        sent = [r for r in own.rows if not r["exited"]]
        counted = tuple(sorted(Counter(int(r["payload_bytes"]) for r in sent).items()))
        found = replace(own, payloads=counted, wanted="mean")
        assert found.whole is not None, (own.scheme, own.value)
        assert (found.whole.worst_miss() or 0) < 0.006  # of that, all but 1 us is the encoder's
        plain = replace(own, payloads=None, wanted="mean")
        assert found.middle("total_ms") == pytest.approx(plain.middle("total_ms"), rel=2e-3)
        if found.chance is not None and not any(r["loss"] for r in sent):
            for r in sent:
                size = int(r["mqtt_bytes"] or 0)
                passage = found.chance.passage_ms("up", size, r) if size else ((0.0, 1.0),)
                assert passage == ((pytest.approx(r["link_up_ms"] or 0.0, abs=1e-5), 1.0),)
                assert not size or found.chance.wire_bytes(size, r) == r["wire_bytes"]


def test_a_message_in_pieces_waits_for_its_tail() -> None:
    """Writes of 1,024 bytes, as the module has them: docs/link.md tells 0.09 ms more for 1,608 B at 6 Mbit/s."""
    link = {"rate_bps": 6e6, "delay_ms": 0.0, "loss": 0.0, "limit_packets": None}
    whole, pieces = (Chance(Retransmission(), 1460, 66, writes) for writes in (0, 1024))
    apart = pieces.passage_ms("up", 1633, link)[0][0] - whole.passage_ms("up", 1633, link)[0][0]
    assert apart == pytest.approx(0.09, abs=0.005)
    assert pieces.wire_bytes(1633, link) == 1633 + 2 * 66
    assert pieces.passage_ms("up", 400, link) == whole.passage_ms("up", 400, link)


def test_a_manifest_keeps_payloads_and_answers_and_reads_old_ones() -> None:
    right = np.arange(10) % 3 != 0
    told = {"right": 6, "n": 10, "share": 0.6, "exited": 1, "payloads": [[300, 4], [310, 5]]}
    facts = AccuracyFacts.model_validate(json.loads(json.dumps(told | {"answers": answers.packed(right)})))
    assert facts.payloads == [(300, 4), (310, 5)]
    assert answers.unpacked(facts.answers or "", 10).tolist() == right.tolist()
    assert AccuracyFacts(right=6, n=10, share=0.6).payloads is None
    for wrong in ({"payloads": [[300, 4]]}, {"answers": answers.packed(~right)}, {"answers": "AA=="}):
        with pytest.raises(ValueError, match=r"payloads|answers"):
            AccuracyFacts.model_validate(told | wrong)
