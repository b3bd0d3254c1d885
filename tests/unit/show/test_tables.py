"""Tables group, take medians, and never mix warm-ups or failures into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.analysis.cells import Accuracy, cells
from harness.contracts.errors import BenchError
from harness.runs import published
from harness.runs.measurements import METRICS, metric
from harness.show import plots, tables


def _row(scheme: str, rate: float, image: int, total: float, **more: Any) -> dict[str, Any]:
    base = {"scheme": scheme, "rate_bps": rate, "image": image, "warmup": False, "status": "ok", "exited": False}
    stages = {f"{s}_ms": total / 5 for s in ("local", "encode", "network", "remote", "combine")}
    sizes = {"payload_bytes": 500, "mqtt_bytes": 520, "wire_bytes": 586, "device_cycles": 10, "remote_wall_ms": 1.0}
    return base | stages | sizes | {"total_ms": total, "total_ms_source": "modelled"} | more


ROWS = [
    *(_row("agilenn", rate, i, 10 + i + 6e6 / rate) for rate in (1e6, 6e6) for i in range(6)),
    *(_row("local_only", rate, i, 40.0) for rate in (1e6, 6e6) for i in range(6)),
    _row("agilenn", 6e6, 99, 1e6, warmup=True),
    _row("agilenn", 6e6, 98, 0.0, status="failed", total_ms=None),
]


def test_warmups_and_failures_stay_out_of_medians() -> None:
    found = {(c.scheme, c.value): c for c in cells(ROWS, "rate_bps")}
    cell = found["agilenn", 6e6]
    assert cell.latency is not None
    assert (cell.latency.median, cell.latency.n, cell.failed) == (13.5, 6, 1)
    assert cell.source("total_ms") == "modelled"


def test_where_some_exit_stages_add_up_and_bytes_are_of_the_sent() -> None:
    gone = {"exited": True, "network_ms": 0.0, "payload_bytes": 0, "wire_bytes": 0}
    rows = [_row("partition", 1e6, i, 20.0) for i in range(2)] + [
        _row("partition", 1e6, i, 16.0, **gone) for i in (2, 3, 4)
    ]
    (cell,) = cells(rows, "rate_bps")
    assert cell.statistic == "mean"
    ((_, _, *stages),) = tables.stage_lines([cell], {}, {1e6: "1 Mbit/s"})
    assert stages[2] == "1.60"  # a median would be 0, of those that exit
    assert stages[-1] == "17.60"
    assert tables.bytes_text(cell) == "500 / 586 where sent"


def test_the_table_has_every_column_and_the_whole_test_set() -> None:
    lines = tables.table(cells(ROWS, "rate_bps"), "bandwidth", {"agilenn": Accuracy(8123, 10_000)})
    assert len(lines) == 4
    assert set(lines[0]) == set(tables.COLUMNS)
    assert (lines[0]["accuracy"], lines[0]["accuracy_n"]) == (0.8123, 10_000)
    assert lines[2]["accuracy"] is None


def test_the_summary_reads_as_a_table() -> None:
    found = cells(ROWS, "rate_bps")
    shown = {1e6: "1 Mbit/s", 6e6: "6 Mbit/s"}
    header, lines = tables.summary(found, {"agilenn": "AgileNN"}, shown, {"agilenn": Accuracy(1, 2)})
    assert header[:3] == ["scheme", "1 Mbit/s", "6 Mbit/s"]
    assert lines[0][0] == "AgileNN"
    assert lines[0][2].startswith("13.5 [")
    assert lines[0][3] == "50.0 % (n 2)"
    assert lines[0][4] == "500 / 586"
    text = tables.markdown(header, lines)
    assert len({len(line) for line in text.splitlines()}) == 1


@pytest.mark.slow
def test_the_plot_is_written_twice_with_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        written.append(
            plots.latency(
                cells(ROWS, "rate_bps"),
                {"agilenn": "AgileNN", "local_only": "Local only"},
                axis_title="link rate (bit/s)",
                values={1e6: "1 Mbit/s", 6e6: "6 Mbit/s"},
                log_scale=True,
                note="Times modelled",
                out=tmp_path / name / "latency",
                published=published.bandwidth("cifar10"),
            )
        )
    for first, second in zip(*written, strict=True):
        assert first.read_bytes() == second.read_bytes()
        assert first.stat().st_size > 5000


def test_metrics_show_their_values() -> None:
    assert metric("total_ms").show(12.345) == "12.35"
    assert metric("payload_bytes").show(1234.0) == "1,234"
    assert METRICS["total_ms"].show(None) == "–"
    with pytest.raises(BenchError, match="unknown metric"):
        metric("speed")


def test_published_figures_have_their_sources() -> None:
    fig23 = published.load("fig23")
    agile = {v.x: v.value for v in fig23 if (v.dataset, v.scheme) == ("cifar100", "agilenn")}
    assert agile == {270e3: 117.3, 2e6: 36.0, 6e6: 24.1}
    assert all(v.source and v.how_read for v in fig23)
    # Stages of Fig 16 add up to its totals within what can be read off a bar.
    fig16 = [v for v in published.load("fig16") if v.unit == "ms"]
    for key in {(v.dataset, v.scheme) for v in fig16}:
        own = {v.metric: v.value for v in fig16 if (v.dataset, v.scheme) == key}
        total = own.pop("total_ms")
        assert not own or sum(own.values()) == pytest.approx(total, abs=0.5), key


def test_a_missing_published_figure_lists_the_others() -> None:
    with pytest.raises(BenchError, match="fig23"):
        published.load("fig99")
