"""Precision `auto`: bfloat16 where the processor multiplies it, by its own flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from baselines.networks import processor

CPUINFO = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu avx2 {more}\n\nprocessor\t: 1\nflags\t: fpu\n"


@pytest.mark.parametrize(
    ("text", "has"),
    [
        (CPUINFO.format(more="avx512f avx512_bf16"), True),
        (CPUINFO.format(more="amx_bf16 amx_tile"), True),
        (CPUINFO.format(more="avx512f f16c"), False),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd asimdhp\n", False),
        ("", False),
    ],
)
def test_by_the_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, has: bool) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    monkeypatch.setattr(processor, "CPUINFO", path)
    processor.multiplies_bfloat16.cache_clear()
    try:
        assert processor.multiplies_bfloat16() is has
    finally:
        processor.multiplies_bfloat16.cache_clear()


def test_without_such_a_file_nothing_is_claimed(tmp_path: Path) -> None:
    assert processor.flags_of(tmp_path / "none") == frozenset()
