"""What a manifest says of program and image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import provenance
from harness.contracts.errors import BenchError
from harness.memory import footprint


def test_the_command_can_be_typed_again_and_no_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_MQTT_PASSWORD", "hush-hush")
    facts = provenance.provenance(["bandwidth", "--out", "a b"], "harness.sweep")
    assert facts["command"] == "python -m harness.sweep bandwidth --out 'a b'"
    assert facts["packages"]["numpy"]
    assert "hush-hush" not in json.dumps(facts)


def test_outside_of_a_checkout_there_is_no_commit(tmp_path: Path) -> None:
    assert provenance._git(tmp_path, "rev-parse", "HEAD") is None


def test_a_file_that_is_no_image_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a.elf").write_bytes(b"nonsense")
    with pytest.raises(BenchError, match="is no firmware image"):
        footprint(tmp_path / "a.elf", flash=(0x0800_0000, 1 << 20), ram=(0x2000_0000, 320 << 10))
