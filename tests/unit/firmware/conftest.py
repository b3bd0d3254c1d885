"""Host builds for the firmware's tests: the codecs alone, and whole schemes around a small hand-written graph."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbeds.firmware.host.hostlib import CodecLibrary
from testbeds.firmware.host.schemelib import HostLibrary
from testbeds.firmware.toolchain import build as building
from testbeds.firmware.toolchain import describe

from .firmware_helpers import STUB_GRAPH_C, STUB_GRAPH_H, Scripted, write_scheme

# test_sanitized.py runs the other tests again on a build with these.
SANITIZERS = tuple(os.environ.get("AGILENN_TEST_SANITIZERS", "").split())
OPTIONS: dict[str, Any] = {"cc": "gcc", "flags": SANITIZERS, "link_flags": SANITIZERS} if SANITIZERS else {}


@pytest.fixture(scope="session")
def codecs() -> CodecLibrary:
    return CodecLibrary(building.build_codec_library(**OPTIONS))


@pytest.fixture(scope="session")
def stub_build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """build(target="host", **description) -> the built file of a scheme around the stub graph (3 classes, 4x4x3)."""

    def generate(_graph: Path, work: Path, _variant: str) -> dict[str, Any]:
        (work / "graph.h").write_text(STUB_GRAPH_H)
        (work / "graph.c").write_text(STUB_GRAPH_C)
        return {"arena_bytes": 128, "scratch_bytes": 0}

    def make(target: str = "host", **changes: Any) -> Path:
        folder = write_scheme(tmp_path_factory.mktemp("scheme"), **changes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(building, "_generate", generate)
            patch.setattr(building, "check_graph", lambda _folder, _description: None)  # there is no graph to read
            patch.setattr(describe, "_output_shape", lambda _path, _index: (4, 4, 4))
            return building.build(folder, target, **OPTIONS)

    return make


@pytest.fixture(scope="session")
def library_of(stub_build: Callable[..., Path]) -> Callable[..., HostLibrary]:
    made: dict[str, HostLibrary] = {}

    def library(**changes: Any) -> HostLibrary:
        key = json.dumps(changes, sort_keys=True)
        if key not in made:
            made[key] = HostLibrary(stub_build("host", **changes))
        return made[key]

    return library


@pytest.fixture
def scripted(library_of: Callable[..., HostLibrary]) -> Callable[..., Scripted]:
    """scripted(**description) -> a firmware with a console and a scripted Wi-Fi module."""
    return lambda **changes: Scripted(library_of(**changes))
