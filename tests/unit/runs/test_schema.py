"""The shipped JSON schemas are those of the code, and committed runs keep to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.runs import schema
from harness.runs.paths import REFERENCE
from harness.runs.store import MANIFEST, Store

from ...support import runs

RUNS = sorted((REFERENCE / "runs").iterdir())


def _shipped(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((schema.FOLDER / name).read_text())
    return loaded


def test_the_shipped_schemas_are_those_of_the_code() -> None:
    there = {path.name: path.read_text() for path in schema.FOLDER.iterdir()}
    assert there == schema.texts(), "run: python -m harness.runs.schema"


@pytest.mark.slow
@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_committed_runs_keep_to_the_schemas(folder: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    told = json.loads((folder / MANIFEST).read_text())
    jsonschema.Draft202012Validator(_shipped("manifest.schema.json")).validate(told)
    judge = jsonschema.Draft202012Validator(_shipped("sample.schema.json"))
    for row in Store(folder).rows()[::40]:
        judge.validate(row)


@pytest.mark.parametrize("wrong", [{"order": None}, {"total_ms": "fast"}, {"image": 1.5}, {"strange": 1}])
def test_what_is_no_sample_does_not(wrong: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    judge = jsonschema.Draft202012Validator(_shipped("sample.schema.json"))
    assert judge.is_valid(runs.measured())
    assert not judge.is_valid(runs.measured() | wrong)
