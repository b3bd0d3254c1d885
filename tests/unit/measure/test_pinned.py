"""Pinned remote times: calibrated once, then the same for everyone who uses the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.edge.launch import Calibrated
from harness.measure import pinned
from harness.measure.pinned import Pinned


def _calibrated(artefact: Artefact, us: float) -> dict[str, Calibrated]:
    return {f"{artefact.u32:08x}": Calibrated(artefact.description.scheme, f"{artefact.u32:08x}", us)}


def test_what_is_missing_is_added_and_then_stays(
    tmp_path: Path, remote_artefact: Artefact, local_artefact: Artefact
) -> None:
    path = pinned.default_path(tmp_path, "tiny", "compact")
    both = [local_artefact, remote_artefact]
    first = pinned.completed(path, Pinned(), both, _calibrated(remote_artefact, 1234.4))
    assert first.remote_ms(remote_artefact) == 1.234
    assert first.remote_ms(local_artefact) is None
    again = pinned.completed(path, pinned.read(path), both, _calibrated(remote_artefact, 9999.0))
    assert again.remote_ms(remote_artefact) == 1.234
    assert list(path.parent.iterdir()) == [path]


def test_a_file_without_these_weights_says_so(remote_artefact: Artefact) -> None:
    with pytest.raises(BenchError, match="no remote time for far-tiny-compact"):
        Pinned().remote_ms(remote_artefact)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"remote": {"short": {}}}', '{"pinned_version": 7, "remote": {}}', '{"remote": {}, "more": 1}']
    + [json.dumps({"remote": {"a" * 64: {"label": "x", "remote_ms": bad, "calibrated_at": ""}}}) for bad in (0, -1)],
)
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pinned.json"
    path.write_text(text)
    with pytest.raises(BenchError):
        pinned.read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="can't be read"):
        pinned.read(tmp_path / "none.json")
