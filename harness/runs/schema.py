"""Makes JSON schemas (draft 2020-12) of what a run leaves behind: its manifest, and its samples.

They are shipped beside this file, for programs that read runs without this code:

    python -m harness.runs.schema      writes both anew
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.runs.columns import Column
from harness.runs.manifest import Manifest
from harness.runs.sample import BY_NAME, SCHEMA_VERSION

FOLDER = Path(__file__).with_name("schemas")
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {"whole": "integer", "real": "number", "flag": "boolean", "text": "string"}


def manifest() -> dict[str, Any]:
    """Return the schema of manifest.json, of the present version."""
    return {"$schema": _DRAFT, **Manifest.model_json_schema()}


def sample() -> dict[str, Any]:
    """Return the schema of one sample: a row of samples.csv with typed cells, null where nothing was measured."""
    return {
        "$schema": _DRAFT,
        "title": "a sample of the AgileNN bench",
        "description": f"schema_version {SCHEMA_VERSION}; docs/results.md explains every column",
        "type": "object",
        "properties": {name: _property(column) for name, column in BY_NAME.items()},
        "required": [name for name, column in BY_NAME.items() if column.needed],
        "additionalProperties": False,
    }


def texts() -> dict[str, str]:
    """Return the files by name."""
    made = {"manifest.schema.json": manifest(), "sample.schema.json": sample()}
    return {name: json.dumps(schema, indent=1, sort_keys=True) + "\n" for name, schema in made.items()}


def _property(column: Column) -> dict[str, Any]:
    kind = _TYPES[column.kind]
    told: dict[str, Any] = {"type": kind if column.needed else [kind, "null"]}
    return told | ({"description": f"unit: {column.unit}"} if column.unit else {})


if __name__ == "__main__":
    for _name, _text in texts().items():
        (FOLDER / _name).write_text(_text, encoding="utf-8")
