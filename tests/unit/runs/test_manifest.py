"""The manifest: every key is checked and documented, old ones are read, later ones refused."""

from __future__ import annotations

import json
import logging
import random
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from harness.contracts.errors import BenchError
from harness.runs import manifest
from harness.runs.manifest import Manifest
from harness.runs.sample import COLUMNS
from harness.runs.store import Store

from ...support import runs

DOCUMENT = Path(__file__).parents[3] / "docs" / "results.md"


def _run(folder: Path, **more: Any) -> Store:
    run = Store.create(folder / "run")
    run.write_manifest(runs.manifest(**more))
    return run


def test_what_was_written_is_read_and_typed(tmp_path: Path) -> None:
    run = _run(tmp_path)
    facts = run.facts()
    assert facts.manifest_version == manifest.VERSION
    assert facts.schemes["agilenn"].weights == "a" * 64
    assert facts.resumed_at == []
    written = json.loads((run.folder / "manifest.json").read_text())
    assert run.manifest() | {"checksum": manifest.checksum(run.manifest())} == written


def test_version_1_is_read_and_what_it_lacks_is_null(tmp_path: Path) -> None:
    run = _run(tmp_path)
    old = run.manifest() | {"manifest_version": 1}
    for key in ("tools", "procedure", "link_certificates", "probe", "resumed_at"):
        del old[key]
    (run.folder / "manifest.json").write_text(json.dumps(old))
    facts = run.facts()
    assert (facts.manifest_version, facts.procedure, facts.probe, facts.tools) == (manifest.VERSION, None, None, {})


def test_no_flipped_bit_is_read_as_another_manifest(tmp_path: Path) -> None:
    run = _run(tmp_path)
    path = run.folder / "manifest.json"
    whole, facts = path.read_bytes(), run.facts()
    rng = random.Random(0)
    told = 0
    for place in rng.sample(range(8 * len(whole)), 1500):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            assert run.facts() == facts, f"bit {place}"
        except BenchError as e:
            assert "\n" not in str(e)
            told += 1
    assert told > 1000


def test_a_manifest_without_a_checksum_is_read_with_a_remark(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = _run(tmp_path)
    (run.folder / "manifest.json").write_text(json.dumps(run.manifest()))
    with caplog.at_level(logging.INFO, logger="harness"):
        assert run.facts().checksum is None
        run.facts()
    assert [r.message for r in caplog.records if "no checksum" in r.message] == [
        f"{run.folder / 'manifest.json'} has no checksum, as an earlier bench wrote it: damage in it can't be told"
    ]


def test_the_committed_runs_are_read() -> None:
    found = sorted((DOCUMENT.parents[1] / "results" / "reference" / "runs").glob("*/manifest.json"))
    assert found
    for path in found:
        assert manifest.read(path.parent).status == "finished"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"manifest_version": 99}', r"version 99, this bench reads up to \d+: use the bench that wrote it"),
        ("{", "damaged"),
        ("", "damaged"),
        ("null", "damaged"),
        ("[]", "damaged"),
        ("{}", "no version"),
        ('{"manifest_version": "2"}', "no version"),
        ('{"manifest_version": true}', "no version"),
        ('{"manifest_version": 2}', "key kind"),
        ("[" * 100_000, "damaged"),
    ],
)
def test_what_is_no_manifest_is_one_clear_line_and_stays(tmp_path: Path, text: str, why: str) -> None:
    run = _run(tmp_path)
    path = run.folder / "manifest.json"
    path.write_text(text)
    with pytest.raises(BenchError, match=why) as caught:
        run.facts()
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert path.read_text() == text


def test_a_key_of_another_bench_is_refused_on_reading_and_writing(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"unknown key .colour."):
        _run(tmp_path, colour="red")
    run = Store(tmp_path / "run")
    (run.folder / "manifest.json").write_text(json.dumps(runs.manifest(colour="red") | {"manifest_version": 2}))
    with pytest.raises(BenchError, match=r"unknown key .colour."):
        run.facts()


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(BenchError, match="damaged"):
        manifest.read(tmp_path)


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_manifest_with_any_value_anywhere_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    found = runs.manifest() | {"manifest_version": 2}
    key = data.draw(st.sampled_from(sorted(found)))
    found[key] = data.draw(st.none() | st.integers() | st.text(max_size=5) | st.lists(st.none(), max_size=2))
    (tmp_path / "manifest.json").write_text(json.dumps(found))
    try:
        manifest.read(tmp_path)
    except BenchError as e:
        assert "\n" not in str(e)


def test_every_key_is_documented() -> None:
    """As `key` or `part.key`, in the table of docs/results.md."""
    text = DOCUMENT.read_text()
    section = text[text.index("## manifest.json") :]
    told = set(re.findall(r"`([a-z0-9_.<>]+)`", section[: section.index("\n## ", 5)]))
    missing = [key for key in _keys(Manifest) if key not in told]
    assert not missing


def test_every_column_is_documented() -> None:
    text = DOCUMENT.read_text()
    section = text[text.index("## samples.csv") : text.index("## manifest.json")]
    first = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    told = {name.strip() for cell in first for name in cell.split(",")}
    missing = [name for name in COLUMNS if name not in told and not name.endswith("_source")]
    assert not missing


def _keys(model: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{before}{name}"
        for part in _models(field.annotation):
            yield from _keys(part, f"{before}{name}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (dict, list, types.UnionType, typing.Union):
        for inner in typing.get_args(annotation):
            yield from _models(inner)
