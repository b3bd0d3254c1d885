"""A run that is damaged or from a newer bench: one clear line, exit code 2, and not a byte of it changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.commands.sweep import main as sweep
from harness.host.cli import way_in
from harness.runs import parquet
from harness.runs.journal import Journal
from harness.runs.store import Store

from ..support import runs
from ..support.commands import but_progress


def _damaged(folder: Path, spoil: Callable[[Path], None]) -> dict[str, bytes]:
    run = Store.create(folder)
    run.write_manifest(runs.manifest(status="running"))
    kept = Journal(folder)
    for i in range(3):
        row = runs.measured(i, i)
        kept.append(f"k{i}", row)
    kept.close()
    run.write_samples()
    spoil(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _future(folder: Path) -> None:
    found = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(found | {"manifest_version": 7, "colour": "red"}))


def _bytes_in_the_journal(folder: Path) -> None:
    path = folder / "journal.jsonl"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(bytes(data))


def _empty_row(folder: Path) -> None:
    with (folder / "journal.jsonl").open("ab") as f:
        f.write(b'{"key": "x", "row": {}}\n')


def _null_row(folder: Path) -> None:
    with (folder / "journal.jsonl").open("ab") as f:
        f.write(b'{"key": "x", "row": null}\n')


def _manifest_cut_short(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:200])


def _journal_gone(folder: Path) -> None:
    (folder / "journal.jsonl").unlink()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_future, "has version 7, this bench reads up to 2"),
        (_bytes_in_the_journal, "journal.jsonl is damaged in line 2"),
        (_empty_row, "holds something else than samples"),
        (_null_row, "is damaged in line 4"),
        (_manifest_cut_short, "manifest.json is damaged"),
        (_journal_gone, "has samples but no journal.jsonl"),
    ],
)
def test_a_damaged_run_is_not_gone_on_with(
    spoil: Callable[[Path], None], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    before = _damaged(folder, spoil)
    assert way_in(sweep, ["bandwidth", "--resume", str(folder)]) == 2
    err = but_progress(capsys.readouterr().err)
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert told in err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_truncated_parquet_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a run that was published without its journal."""
    folder = tmp_path / "run"
    _damaged(folder, _journal_gone)
    assert len(Store.reopen(folder).rows()) == 3
    path = folder / "samples.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    before = path.read_bytes()

    def body(_: list[str]) -> int:
        return len(parquet.read(path)) + len(Store.reopen(folder).rows())

    assert way_in(body, []) == 2
    err = but_progress(capsys.readouterr().err)
    assert err.startswith(f"error: {path} is damaged or cut short")
    assert err.count("\n") == 1
    assert path.read_bytes() == before
