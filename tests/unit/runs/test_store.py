"""A run's folder survives being stopped, and never takes damaged data for good."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from harness.contracts.errors import BenchError
from harness.runs import store
from harness.runs.journal import Journal
from harness.runs.measurements import METRICS
from harness.runs.sample import COLUMNS, Planned, Point, failed, row
from harness.runs.store import Store

ISSUE_COLUMNS = [
    "schema_version",
    "point_id",
    "order",
    "scheme",
    "dataset",
    "profile",
    "testbed",
    "rate_bps",
    "image",
    "warmup",
    "status",
    "error",
    "label",
    "predicted",
    "exited",
    "local_ms",
    "encode_ms",
    "network_ms",
    "remote_ms",
    "combine_ms",
    "total_ms",
    "remote_wall_ms",
    "payload_bytes",
    "mqtt_bytes",
    "wire_bytes",
    "device_cycles",
]


def _planned(order: int = 0, image: int = 3, warmup: bool = False) -> Planned:
    return Planned(order, Point("agilenn", "tiny", "compact", "virtual", 6e6), image, warmup, 7)


def test_columns_begin_as_specified_and_every_metric_has_a_source() -> None:
    assert list(COLUMNS[: len(ISSUE_COLUMNS)]) == ISSUE_COLUMNS
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert all(f"{name}_source" in COLUMNS for name in METRICS)


def test_equal_samples_have_equal_keys_and_others_do_not() -> None:
    assert _planned(0).key == _planned(5).key
    assert _planned(warmup=True).key != _planned().key
    other = Point("agilenn", "tiny", "compact", "virtual", 6e6, facts={"weights": "x"})
    assert other.point_id != _planned().point.point_id


def test_a_failed_sample_is_kept_with_null_values(tmp_path: Path) -> None:
    run = Store.create(tmp_path / "run")
    kept = Journal(run.folder)
    kept.append("a", failed(_planned(), 2, "no answer"))
    kept.close()
    path, _ = run.write_samples()
    (read,) = csv.DictReader(path.open())
    assert (read["status"], read["error"], read["total_ms"], read["label"]) == ("failed", "no answer", "", "2")
    assert read["warmup"] == "false"


def test_a_folder_that_holds_something_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(BenchError, match="not empty"):
        Store.create(tmp_path)


def test_an_output_folder_under_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BenchError, match="can't be written"):
        Store.create(tmp_path / "file" / "run")


def test_only_a_run_can_be_reopened(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="holds no run"):
        Store.reopen(tmp_path)


def test_csv_cells() -> None:
    text = store.csv_text(["a", "b", "c", "d"], [{"a": None, "b": True, "c": 0.1, "d": "x,y"}])
    assert text == 'a,b,c,d\n,true,0.1,"x,y"\n'


def test_a_row_has_every_column() -> None:
    assert tuple(row(_planned(), 1)) == COLUMNS
