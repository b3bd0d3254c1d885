"""The same seed and pinned file give the same rows, whatever else the host does; and the link does what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.measure import pinned

# One that always sends, one that leaves early at times, one that never sends.
SCHEMES = ("agilenn", "partition", "local_only")
OPTIONS = ("harness.sweep", "bandwidth", "--rates", "270k,1M,6M", "--images", "4", "--no-accuracy",
           "--schemes", ",".join(SCHEMES))  # fmt: skip
IDENTICAL = ("point_id", "order", "scheme", "rate_bps", "image", "status", "predicted", "exited", "total_ms",
             "local_ms", "encode_ms", "network_ms", "remote_ms", "combine_ms", "device_cycles", "payload_bytes",
             "mqtt_bytes", "wire_bytes", "serial_up_ms", "link_up_ms", "codec")  # fmt: skip


def _sweep(start: Callable[..., Any], out: Path, *more: str) -> tuple[pd.DataFrame, str]:
    sweep = start(*OPTIONS, *more, "--out", str(out))
    code, said, err = sweep.wait()
    assert code == 0, err
    sweep.nothing_left()
    return pd.read_csv(out / "samples.csv"), said


def test_rows_are_identical_and_the_slope_is_that_of_the_rate(tmp_path: Path, start: Callable[..., Any]) -> None:
    """First with two boards a scheme; then with one, and both cores kept busy by something else."""
    first, said = _sweep(start, tmp_path / "first", "--jobs", "2")
    told = json.loads((tmp_path / "first" / "manifest.json").read_text())["pinned"]
    assert told["file"] == "harness/measure/service_times.toml"
    assert not (tmp_path / "results").exists()  # nothing was timed on this host
    # Niced: both cores stay busy and every process of the sweep is preempted, but the test ends in good time.
    load = [subprocess.Popen(["nice", "-n", "5", sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        second, _ = _sweep(start, tmp_path / "second", "--jobs", "1", "--remote-ms", str(pinned.SHIPPED))
    finally:
        for one in load:
            one.kill()
            one.wait()
    pd.testing.assert_frame_equal(first[list(IDENTICAL)], second[list(IDENTICAL)], check_exact=True)
    assert (first["status"] == "ok").all()
    assert len(first) == len(SCHEMES) * 3 * 5
    _check_slopes(first[~first["warmup"]])
    _check_what_is_left(tmp_path / "first", said)


def _check_slopes(rows: pd.DataFrame) -> None:
    """network_ms less the serial line's part, which grows with the bytes too, against wire bytes: 8 / rate."""
    sent = rows[(rows["scheme"] == "agilenn") & (rows["payload_bytes"] > 0)]
    for rate, group in sent.groupby("rate_bps"):
        assert group["wire_bytes"].nunique() > 2
        own = group["network_ms"] - group["serial_up_ms"]
        slope_ms_per_byte = np.polyfit(group["wire_bytes"], own, 1)[0]
        assert slope_ms_per_byte == pytest.approx(8e3 / float(str(rate)), rel=0.02)


def _check_what_is_left(run: Path, said: str) -> None:
    table = pd.read_csv(run / "tables" / "bandwidth.csv")
    assert len(table) == len(SCHEMES) * 3
    assert table["n"].eq(4).all()
    for name in ("plots/latency_vs_bandwidth.png", "plots/latency_vs_bandwidth.pdf", "tables/bandwidth.md"):
        assert (run / name).stat().st_size > 0
        assert str(run / name) in said.replace("\n", "")
    secrets = [word for word in ("password", "agile/") if word in (run / "manifest.json").read_text()]
    assert not secrets
