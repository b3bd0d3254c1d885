"""samples.csv is read back as what was written; committed runs hold the same in it as in Parquet."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts.errors import BenchError
from harness.runs import parquet, samples_csv
from harness.runs.paths import REFERENCE
from harness.runs.sample import COLUMNS
from harness.runs.store import PARQUET, SAMPLES, Store, csv_text

from ...support import runs

RUNS = sorted(path.parent for path in (REFERENCE / "runs").glob(f"*/{PARQUET}"))


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_committed_runs_hold_the_same_in_both(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    by_csv = samples_csv.read(folder / SAMPLES)
    assert by_csv == parquet.read(folder / PARQUET), "Store(folder).write_samples() mends it"


def test_without_pyarrow_a_run_is_written_and_read_by_its_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [runs.measured()]
    (tmp_path / SAMPLES).write_text(csv_text(COLUMNS, rows))
    (tmp_path / PARQUET).write_bytes(b"nobody can read it")
    monkeypatch.setattr(parquet, "available", lambda: False)
    assert Store(tmp_path).rows() == rows
    (tmp_path / SAMPLES).unlink()
    with pytest.raises(BenchError, match=r"agilenn-bench\[tables\]"):
        Store(tmp_path).rows()


@pytest.mark.parametrize(
    "text", ["", "x,y\n1,2\n", "schema_version\n1,2\n", "schema_version\none\n", "warmup\nyes\n", 'a"b\n"', "\0"]
)
def test_what_is_no_file_of_samples_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / SAMPLES
    path.write_text(text)
    if text == "":
        assert samples_csv.read(path) == []
        return
    with pytest.raises(BenchError) as error:
        samples_csv.read(path)
    assert "\n" not in str(error.value)
