"""What the bench starts by `python -m` is a way in: a module without a main would end with code 0 and do nothing."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
STARTED = sorted(
    {
        name
        for folder in ("harness", "testbeds", "baselines")
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r'"-m", "((?:harness|testbeds|baselines)[\w.]*)"', path.read_text(encoding="utf-8"))
    }
)


def test_some_are_started() -> None:
    assert "harness.accuracy" in STARTED and "harness.edge" in STARTED


@pytest.mark.parametrize("name", STARTED)
def test_it_has_a_main(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    if spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{name}.__main__")
    assert spec is not None and spec.origin is not None
    assert '__name__ == "__main__"' in Path(spec.origin).read_text(encoding="utf-8")
