"""samples.parquet: any reader opens it; cut short, damaged or of another bench it is one clear line."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.runs import parquet
from harness.runs.journal import Journal
from harness.runs.sample import BY_NAME, COLUMNS, failed
from harness.runs.store import Store

from ...support import runs

ROWS = [
    runs.measured(0, 3),
    runs.measured(1, 4, local_ms=0.1 + 0.2),
    failed(runs.planned(2, 5), 1, "no answer, he said"),
    runs.measured(3, 6, warmup=True),
]


@pytest.fixture
def run(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "run")
    kept = Journal(store.folder)
    for i, row in enumerate(ROWS):
        kept.append(str(i), row)
    kept.close()
    store.write_samples()
    return store


def test_pandas_opens_it_with_types_and_units(run: Store) -> None:
    found = pd.read_parquet(run.folder / "samples.parquet")
    assert tuple(found.columns) == COLUMNS
    assert found["total_ms"].dtype == "float64"
    assert found["order"].dtype == "int64"
    assert found["warmup"].dtype == "bool"
    assert found["total_ms"].isna().tolist() == [False, False, True, False]
    assert found["local_ms"][1] == 0.1 + 0.2
    schema = pq.read_schema(run.folder / "samples.parquet")
    units = {name: (schema.field(name).metadata or {}).get(b"unit") for name in COLUMNS}
    wanted = {"total_ms": b"ms", "rate_bps": b"bit/s", "clock_hz": b"Hz", "energy_uj": b"uJ", "payload_bytes": b"B"}
    assert {name: units[name] for name in wanted} == wanted
    assert units["device_cycles"] == b"cycles"
    assert units["scheme"] is None
    assert schema.metadata[b"schema_version"] == b"1"


def test_csv_and_parquet_hold_the_same(run: Store) -> None:
    csv = pd.read_csv(run.folder / "samples.csv")
    typed = pd.read_parquet(run.folder / "samples.parquet")
    assert csv["total_ms"].tolist()[:2] == typed["total_ms"].tolist()[:2]
    assert csv["error"][2] == typed["error"][2] == "no answer, he said"


def test_rows_come_back_as_they_were(run: Store) -> None:
    assert parquet.read(run.folder / "samples.parquet") == run.rows() == ROWS
    (run.folder / "journal.jsonl").unlink()
    assert run.rows() == ROWS  # a committed run keeps no journal


def test_the_same_rows_are_the_same_bytes() -> None:
    assert parquet.encoded(ROWS) == parquet.encoded(ROWS)


def test_cut_short_anywhere_it_is_one_clear_line(tmp_path: Path) -> None:
    whole = parquet.encoded(ROWS)
    path = tmp_path / "samples.parquet"
    for cut in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:cut])
        with pytest.raises(BenchError, match="damaged or cut short") as caught:
            parquet.read(path)
        assert "\n" not in str(caught.value)
        assert path.stat().st_size == cut


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_bytes_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(parquet.encoded(ROWS[:2]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "samples.parquet"
    path.write_bytes(bytes(whole))
    try:
        rows = parquet.read(path)
    except BenchError as e:
        assert "\n" not in str(e)
    else:
        assert all(tuple(row) == COLUMNS for row in rows)


def test_a_parquet_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    out = io.BytesIO()
    pq.write_table(pa.table({"colour": ["red"]}), out)
    path.write_bytes(out.getvalue())
    with pytest.raises(BenchError, match="holds no samples of this bench"):
        parquet.read(path)
    with pytest.raises(BenchError, match="can't be read"):
        parquet.read(tmp_path / "none.parquet")


def test_units_are_those_of_the_names() -> None:
    assert {column.unit for column in BY_NAME.values()} == {"", "ms", "bit/s", "Hz", "B", "uJ", "mW", "cycles"}
