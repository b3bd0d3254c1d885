"""The journal: what was kept survives a kill, and damage is one clear line, never a guess and never a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.contracts.errors import BenchError
from harness.runs import journal
from harness.runs.journal import Journal
from harness.runs.store import Store

from ...support import runs

ROWS = [("a", {"order": 0, "x": 1.5}), ("b", {"order": 1, "x": None}), ("c", {"order": 2, "x": "text\n"})]


def _written(folder: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    kept = Journal(folder)
    for key, row in ROWS:
        kept.append(key, row)
    kept.close()
    return (folder / journal.NAME).read_bytes()


def test_every_line_is_on_disk_when_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_size))
    kept = Journal(tmp_path)
    before = len(synced)
    for key, row in ROWS:
        kept.append(key, row)
        assert synced[-1] == (tmp_path / journal.NAME).stat().st_size
    assert len(synced) - before == len(ROWS)
    kept.close()


def test_a_line_cut_short_at_any_byte_costs_that_line_only(tmp_path: Path) -> None:
    whole = _written(tmp_path / "whole")
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    for cut in range(len(whole)):
        folder = tmp_path / "cut"
        folder.mkdir(exist_ok=True)
        (folder / journal.NAME).write_bytes(whole[:cut])
        left = sum(end <= cut for end in ends)
        assert list(journal.read(folder).items()) == ROWS[:left]
        again = Journal(folder)
        again.append("d", {"order": 9})
        again.close()
        assert list(journal.read(folder).items()) == [*ROWS[:left], ("d", {"order": 9})]


DAMAGE = (
    *(b"nonsense", b"[]", b"{}", b"null", b"", b"\xff\xfe", b"\x00" * 9, b"[" * 100_000),
    *(b'{"key": 1}', b'{"key": "a", "row": null}', b'{"key": "a", "row": []}', b'{"key": [], "row": {}}'),
    *(b'{"key": "a", "row": {"x": NaN}}', b'{"crc": "0", "key": "a", "row": {}}'),
)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_inside_the_journal_is_one_clear_line(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / journal.NAME
    path.write_bytes(b'{"key": "a", "row": {}}\n' + damage + b'\n{"key": "b", "row": {}}\n')
    before = path.read_bytes()
    for attempt in (journal.read, Journal):
        with pytest.raises(BenchError, match="damaged in line 2") as caught:
            attempt(tmp_path)
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / journal.NAME).write_bytes(data)
    try:
        rows = journal.read(tmp_path)
    except BenchError as e:
        assert "\n" not in str(e)
    else:
        assert all(isinstance(key, str) and isinstance(row, dict) for key, row in rows.items())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_JSON | st.fixed_dictionaries({"key": _JSON, "row": _JSON}), max_size=4))
def test_any_json_lines_are_rows_or_refused(tmp_path: Path, entries: list[Any]) -> None:
    """Also past the journal's own check: a row must be a sample."""
    (tmp_path / journal.NAME).write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    try:
        rows = Store(tmp_path).rows()
    except BenchError as e:
        assert "\n" not in str(e)
    else:
        assert not entries or rows


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_bit_is_noticed(tmp_path: Path, data: st.DataObject) -> None:
    """Wherever it is, the rows are those that were kept, or the journal is refused: no other value is ever read."""
    folder = tmp_path / "flip"
    whole = bytearray(_fixed())
    at = data.draw(st.integers(0, len(whole) - 2))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    folder.mkdir(exist_ok=True)
    (folder / journal.NAME).write_bytes(bytes(whole))
    try:
        rows = list(journal.read(folder).items())
    except BenchError:
        return
    assert rows == ROWS


def _fixed() -> bytes:
    lines = [{"crc": journal._crc(key, row), "key": key, "row": row} for key, row in ROWS]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_a_sample_measured_again_counts_once(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    kept.append("a", {"status": "failed"})
    kept.append("a", {"status": "ok"})
    kept.close()
    assert journal.read(tmp_path) == {"a": {"status": "ok"}}


def test_a_full_disk_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Journal(tmp_path)
    kept.append("a", {"order": 0})

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(BenchError, match="No space left"):
            kept.append("b", {"order": 1})
    kept.close()
    assert "a" in journal.read(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ({"order": "first"}, "'order' is no whole number"),
        ({"order": None}, "'order' is missing"),
        ({"warmup": 0}, "'warmup' is no true or false"),
        ({"total_ms": "fast"}, "'total_ms' is no number"),
        ({"status": "fine"}, "neither ok nor failed"),
        ({"schema_version": 2}, "schema_version 2"),
        ({"colour": "red"}, "unknown column 'colour'"),
    ],
)
def test_a_row_that_is_no_sample_is_one_clear_line(tmp_path: Path, spoil: dict[str, Any], why: str) -> None:
    kept = Journal(tmp_path)
    kept.append("a", runs.measured() | spoil)
    kept.close()
    with pytest.raises(BenchError, match=why) as caught:
        Store(tmp_path).rows()
    assert "nothing was overwritten" in str(caught.value)


def test_columns_that_an_older_bench_lacked_are_null(tmp_path: Path) -> None:
    row = runs.measured()
    del row["energy_uj"], row["energy_rail"]
    kept = Journal(tmp_path)
    kept.append("a", row)
    kept.close()
    (read,) = Store(tmp_path).rows()
    assert (read["energy_uj"], read["total_ms"]) == (None, row["total_ms"])
