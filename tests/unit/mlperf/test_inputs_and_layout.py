"""Inputs from the benchmark's folder format, and the results layout of a submission."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.mlperf import inputs, layout
from harness.mlperf.client import Identity
from harness.mlperf.inputs import Input
from harness.mlperf.layout import Record
from harness.mlperf.lines import StepClock
from harness.mlperf.procedures import Accuracy, Performance, Prediction, Window


def folder(tmp_path: Path, labels: str) -> Path:
    for name in ("a.bin", "b.bin"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "y_labels.csv").write_text(labels)
    return tmp_path


def test_a_folder_in_the_benchmarks_format(tmp_path: Path) -> None:
    made = inputs.from_folder(folder(tmp_path, "b.bin, 10, 3\n\na.bin,10,0\n"))
    assert made.classes == 10
    assert list(made.inputs) == [Input("b.bin", b"b.bin", 3), Input("a.bin", b"a.bin", 0)]
    assert len(inputs.first(made, 1).inputs) == 1 and inputs.first(made, None) is made


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ("a.bin,10\n", "line 1"),
        ("a.bin,10,x\n", "line 1"),
        ("a.bin,10,10\n", "label 10 of 10"),
        ("a.bin,1,0\n", "of 1 classes"),
        ("a.bin,10,0\nb.bin,12,0\n", "2 numbers of classes"),
        ("", "0 numbers of classes"),
        ("c.bin,10,0\n", "c.bin"),
        ("../a.bin,10,0\n", "not a file of that folder"),
        ("a.bin,2,0,2560,512\n", "sliding windows"),
        ("a.bin,99999,0\n", "line 1"),
    ],
)
def test_bad_label_files_are_one_line(tmp_path: Path, labels: str, what: str) -> None:
    with pytest.raises(BenchError, match=what) as failed:
        inputs.from_folder(folder(tmp_path, labels))
    assert failed.value.cure and "\n" not in str(failed.value)


def test_a_missing_folder_or_empty_input_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"y_labels\.csv"):
        inputs.from_folder(tmp_path / "none")
    (folder(tmp_path, "a.bin,10,0\n") / "a.bin").write_bytes(b"")
    with pytest.raises(BenchError, match="has 0 bytes"):
        inputs.from_folder(tmp_path)


def test_pictures_go_in_rgb_order() -> None:
    pictures = np.arange(2 * 2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 2, 3)
    made = inputs.from_arrays("cifar10 test pictures", pictures, np.array([4, 5]), 10, 1)
    assert list(made.inputs) == [Input("cifar10_test_pictures_0.bin", bytes(range(12)), 4)]


@pytest.mark.parametrize(
    ("model", "benchmark"),
    [
        ("ic01", "ic"),
        ("vww01", "vww"),
        ("kws01", "kws"),
        ("ad01", "ad"),
        ("local_only-cifar10-compact", "local_only-cifar10-compact"),
        ("../../etc", "etc"),
        ("", "unnamed"),
        ("zz99", "zz99"),
    ],
)
def test_benchmark_folders(model: str, benchmark: str) -> None:
    assert layout.benchmark_of(model) == benchmark


IDENTITY = Identity("a board", "dialect 1", "ic01")
FACTS = layout.facts_of(IDENTITY, inputs.synthetic(1), system="S", time_source="modelled", remarks="+-5 %", recovered=2)


def record(tmp_path: Path, procedure: str, **options: bool) -> Record:
    return Record(tmp_path, "My system", "ic01", procedure, clock=StepClock(), **options)


def test_performance_files(tmp_path: Path) -> None:
    windows = [Window(f"{i}.bin", 200, us) for i, us in enumerate([10_500_000, 10_400_000, 9_000_000])]
    with record(tmp_path, "performance") as made:
        made.heard("host", "name%")
        made.heard("dut", "m-ready")
        made.script((w.input_name, w.iterations, 1) for w in windows)
        made.performance(Performance(windows, 10.0), FACTS)
    home = tmp_path / "results" / "My_system" / "ic" / "performance"
    assert sorted(p.name for p in home.iterdir()) == ["log.txt", "results.json", "results.txt", "script.async"]
    assert (home / "log.txt").read_text() == "00000.000 host: name%\n00000.000 dut: m-ready\n"
    lines = (home / "results.txt").read_text().splitlines()
    assert lines[:5] == [
        "00000.000 ulp-mlperf: Performance results for window 1:",
        "00000.000 ulp-mlperf:   # Inferences :          200",
        "00000.000 ulp-mlperf:   Runtime      :       10.500 sec.",
        "00000.000 ulp-mlperf:   Throughput   :       19.048 inf./sec.",
        "00000.000 ulp-mlperf: Runtime requirements have been met.",
    ]
    assert "NOT been met" in lines[14]
    assert lines[-2] == "00000.000 ulp-mlperf: Median throughput is     19.231 inf./sec."
    document = json.loads((home / "results.json").read_text())
    assert document["median_inferences_per_s"] == pytest.approx(200 / 10.4)
    assert document["windows_of_10_s"] is False
    assert document["time_source"] == "modelled" and document["recovered"] == 2
    script = json.loads((home / "script.async").read_text())
    assert {"cmd": 'bload dut "1.bin"'} in script and {"cmd": "dut infer 200 1"} in script


def test_accuracy_files_grow_and_end(tmp_path: Path) -> None:
    with record(tmp_path, "accuracy") as made:
        made.prediction(Prediction(Input("a,b.bin", b"x", 1), (0.25, 0.75)))
        home = made.folder
        assert (home / "predictions.csv").read_text() == 'input,label,predicted,scores\n"a,b.bin",1,1,0.25 0.75\n'
        made.accuracy(Accuracy(200, 0.865, 0.99), FACTS)
    assert (home / "results.txt").read_text().splitlines() == [
        "00000.000 ulp-mlperf: Top-1: 86.5%",
        "00000.000 ulp-mlperf: AUC: 0.99",
    ]
    assert json.loads((home / "results.json").read_text())["n"] == 200


def test_results_are_not_overwritten_unless_asked(tmp_path: Path) -> None:
    with record(tmp_path, "accuracy") as made:
        made.accuracy(Accuracy(1, 1.0, None), FACTS)
    with pytest.raises(BenchError, match="holds results already"):
        record(tmp_path, "accuracy")
    with record(tmp_path, "accuracy", overwrite=True) as again:
        assert not (again.folder / "results.txt").exists()


def test_a_run_that_stops_leaves_its_log_and_no_results(tmp_path: Path) -> None:
    def stopped() -> None:
        with record(tmp_path, "performance") as made:
            made.heard("host", "infer 10 1%")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    home = tmp_path / "results" / "My_system" / "ic" / "performance"
    assert [p.name for p in home.iterdir()] == ["log.txt"]
    assert "infer 10 1%" in (home / "log.txt").read_text()


def test_a_folder_that_cant_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(BenchError, match="can't be written"):
        record(tmp_path, "accuracy")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.binary(max_size=200), st.lists(st.text("ab.in,0123\n/ ", max_size=20)).map("\n".join).map(str.encode))
)
def test_any_label_file_is_a_set_or_one_line(tmp_path: Path, content: bytes) -> None:
    (folder(tmp_path, "") / "y_labels.csv").write_bytes(content)
    try:
        made = inputs.from_folder(tmp_path)
    except BenchError as e:
        assert e.cure and "\n" not in str(e)
    else:
        assert all(0 <= one.label < made.classes and one.data for one in made.inputs)
