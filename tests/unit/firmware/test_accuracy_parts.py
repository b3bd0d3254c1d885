"""Accuracy over a test set in parts: what comes out does not depend on them, and how far it is is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.artefacts import accuracy
from testbeds.firmware.host.schemelib import Batch, HostLibrary

pytestmark = pytest.mark.slow


def test_parts_change_nothing_and_are_told(stub_build: Callable[..., Path]) -> None:
    library = stub_build("host")
    pictures = np.random.default_rng(0).integers(0, 256, (600, 4, 4, 3), dtype=np.uint8)
    told: list[int] = []
    artefact: Any = None  # only the library is asked
    parts = accuracy.device_halves(artefact, library, pictures, 2, told.append)
    whole = HostLibrary(library).run_many(pictures)
    for field in fields(Batch):
        assert np.array_equal(getattr(parts, field.name), getattr(whole, field.name)), field.name
    assert told == [250, 500, 600]
