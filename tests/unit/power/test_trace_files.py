"""Traces on disk: what is written reads back exactly; what is no trace is one clear line."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.contracts.probe import Trace
from harness.power.energy import sample_energy
from harness.power.mlperf_trace import check_timestamps, parse_mlperf_trace, read_timestamps, window_energies
from harness.power.replay import ReplayProbe, read_any
from harness.power.trace import read_trace, write_trace


def trace() -> Trace:
    lost = np.zeros(50, dtype=np.bool_)
    lost[3] = True
    current = np.linspace(0.1, 0.2, 50) / 3
    current[3] = np.nan
    return Trace(
        rate_hz=100_000.0,
        source="measured",
        probe="PPK2",
        rail="3V3",
        current_a=current,
        voltage_v=np.full(50, 3.3),
        markers=np.repeat([0, 1, 3, 2, 0], 10).astype(np.uint8),
        lost=lost,
        start_s=0.25,
        info={"mode": "source"},
    )


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_trace_reads_back_as_it_was_written(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"trace.{ending}"
    before = trace()
    write_trace(before, path)
    after = read_any(path)
    for name, values in before.channels.items():
        assert np.array_equal(values, after.channels[name], equal_nan=name != "markers")
    assert after.lost is not None
    assert np.array_equal(np.flatnonzero(after.lost), [3])
    for name in ("rate_hz", "source", "probe", "rail", "start_s", "info"):
        assert getattr(after, name) == getattr(before, name)


def test_replay_answers_with_the_recording_and_its_own_source(tmp_path: Path) -> None:
    write_trace(trace(), tmp_path / "t.csv")
    with ReplayProbe(tmp_path / "t.csv") as probe:
        assert (probe.source, probe.rate_hz) == ("measured", 100_000.0)
        with pytest.raises(BenchError, match="not recording"):
            probe.stop()
        probe.start()
        with pytest.raises(BenchError, match="already"):
            probe.start()
        assert sample_energy(probe.stop()).total_uj is not None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("b.csv", b"time,current\n1,2\n"),
        ("c.csv", b'# {"format": "other"}\ncurrent_a,voltage_v,lost\n1,2,0\n'),
        ("d.parquet", b"PAR1 not really"),
        ("e.csv", b"\xff\xfe\x00"),
        ("f.txt", b""),
        ("g.bin", b"\xf0\x00\x00"),
    ],
)
def test_what_is_no_trace_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BenchError) as error:
        read_any(path)
    assert name in str(error.value)


def test_missing_file_and_unknown_ending_are_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "no.csv", tmp_path / "no.parquet", tmp_path / "no.bin"):
        with pytest.raises(BenchError, match="can't be read"):
            read_any(path)
    with pytest.raises(BenchError, match=r"\.parquet or \.csv"):
        write_trace(trace(), tmp_path / "x.txt")
    with pytest.raises(BenchError, match="can't be written"):
        write_trace(trace(), tmp_path / "no" / "x.csv")


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_csv_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "t.csv"
    write_trace(trace(), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        read_trace(path)
    except BenchError as e:
        assert e.cure


def mlperf_bytes(rate_hz: float, energies: list[float]) -> bytes:
    return struct.pack("<Bf", 0xF1, rate_hz) + np.array(energies, dtype="<f4").tobytes()


def test_windows_of_a_file_like_the_mlperf_runners_give_energy_per_inference(tmp_path: Path) -> None:
    energies = [1.0] * 14 + [40.0] * 1000 + [1.0] * 500 + [44.0] * 1000 + [1.0] * 20
    (tmp_path / "x.bin").write_bytes(mlperf_bytes(1000.0, energies))
    (tmp_path / "x.json").write_text(json.dumps([0.001, 0.014, 1.014, 1.514, 2.514]))
    found = window_energies(read_any(tmp_path / "x.bin"), read_timestamps(tmp_path / "x.json"), 50)
    assert found.per_inference_uj == (pytest.approx(800.0), pytest.approx(880.0))
    assert found.median_uj == pytest.approx(840.0)


def test_windows_that_do_not_fit_the_trace_are_refused() -> None:
    trace = parse_mlperf_trace(mlperf_bytes(1000.0, [1.0] * 100))
    with pytest.raises(BenchError, match="not in a trace"):
        window_energies(trace, [0.0, 0.01, 0.2], 50)
    with pytest.raises(BenchError, match="0 inferences"):
        window_energies(trace, [0.0, 0.01, 0.02], 0)


@given(st.binary(max_size=64))
def test_any_bytes_are_an_mlperf_trace_or_a_bench_error(data: bytes) -> None:
    for content in (data, b"\xf1" + data, mlperf_bytes(1000.0, []) + data):
        try:
            trace = parse_mlperf_trace(content)
        except BenchError:
            continue
        assert len(trace) == (len(content) - 5) // 4


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=6),
        max_leaves=8,
    )
)
def test_any_json_is_time_stamps_or_a_bench_error(value: object) -> None:
    try:
        edges = check_timestamps(value)
    except BenchError:
        return
    assert len(edges) % 2 == 1
    assert edges == sorted(set(edges))


@pytest.mark.skipif(
    not os.environ.get("AGILENN_TRACES"), reason="set AGILENN_TRACES to the folder of the recorded LPM01A trace"
)
def test_a_published_recording_gives_its_published_energies_within_a_thousandth() -> None:
    folder = Path(os.environ["AGILENN_TRACES"])
    trace = read_any(folder / "lpm01a_l4r5zi_ic-energy.bin")
    found = window_energies(trace, read_timestamps(folder / "lpm01a_l4r5zi_ic-timestamps.json"), 50)
    published = (17735.488, 17756.939, 17759.032, 17755.446, 17742.887)
    assert found.per_inference_uj == pytest.approx(published, rel=1e-3)
    assert found.median_uj == pytest.approx(17755.446, rel=1e-3)
