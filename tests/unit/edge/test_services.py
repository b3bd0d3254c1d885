"""The edge's accounts: kept by prefix and sequence number; noise is dropped."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.commands import run
from harness.edge.services import Services
from harness.host import cli
from harness.runs.measurements import METRICS, STAGES


def test_an_account_is_handed_out_once() -> None:
    services = Services()
    services.hear("agile/x/00/service", b'{"seq": 7, "service_us": 1500, "status": 0}')
    assert services.wall_ms("agile/x/01", 7, timeout_s=0.0) is None
    assert services.wall_ms("agile/x/00", 7, timeout_s=0.0) == 1.5
    assert services.wall_ms("agile/x/00", 7, timeout_s=0.0) is None


def test_an_old_account_is_not_taken_for_a_new_one() -> None:
    services = Services()
    services.hear("p/service", b'{"seq": 7, "service_us": 1500}')
    services.forget("p")
    assert services.wall_ms("p", 7, timeout_s=0.0) is None


@given(st.one_of(st.binary(max_size=50), st.sampled_from([b"{}", b"[]", b'{"seq": "x", "service_us": 1}', b"null"])))
def test_noise_is_dropped(noise: bytes) -> None:
    Services().hear("p/service", noise)


def test_memory_is_bounded() -> None:
    services = Services()
    for sequence in range(5000):
        services.hear("p/service", b'{"seq": %d, "service_us": 1}' % sequence)
    assert len(services._heard) == 4096
    assert services.wall_ms("p", 4999, timeout_s=0.0) is not None


@given(st.lists(st.floats(0, 1000, allow_nan=False), min_size=5, max_size=5))
def test_a_timeline_shows_every_stage_that_took_time(values: list[float]) -> None:
    total, begin = sum(values), 0.0
    for stage, value in zip(STAGES, values, strict=True):
        shown = run.timeline(stage, begin, value, total)
        assert len(shown) <= 60
        assert bool(shown.strip()) is (value > 0)
        begin += value


def test_one_inference_is_shown_with_sources_and_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    row: dict[str, Any] = {"image": 4, "rate_bps": 6e6, "predicted": 1, "label": 1, "exited": False, "codec": "lzw"}
    row |= {f"{stage}_ms": 2.0 for stage in STAGES} | {"total_ms": 10.0, "remote_wall_ms": 3.0, "symbols": 48}
    row |= {"payload_bytes": 500, "mqtt_bytes": 525, "wire_bytes": 591}
    row |= {metric.source_column: "modelled" for metric in METRICS.values()}
    run.show(cli.console(), row, "AgileNN", "Times modelled.")
    said = capsys.readouterr().out
    for words in ("AgileNN, image 4 at 6 Mbit/s", "10.000", "class 1, label 1: right", "wire up 591 B", "3.000 ms"):
        assert words in said
