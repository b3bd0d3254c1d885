"""Tells what the processor can do, as far as trainings choose by it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})  # bf16: 64-bit Arm's name


@cache
def multiplies_bfloat16() -> bool:
    """Say whether the processor has instructions that multiply bfloat16.

    Without them it is emulated, many times slower.

    On a core with AVX2 alone, convolutions took 15 times as long in bfloat16 as in float32.
    """
    return flags_of(CPUINFO) & BFLOAT16_FLAGS != frozenset()


def flags_of(path: Path) -> frozenset[str]:
    """Return the flags of the first processor in a /proc/cpuinfo, or none where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()
