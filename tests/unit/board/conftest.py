"""Test firmwares compiled for the emulated board."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.contracts.paths import cache_dir

FIRMWARES = Path(__file__).parents[2] / "firmwares"
FLAGS = (
    "-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m7", "-O2", "-g0", "-ffunction-sections", "-nostdlib",
    "-fno-sanitize=all", "-fno-vectorize", "-Wl,--build-id=none", "-Wl,--gc-sections", "-Wl,--entry=reset",
)  # fmt: skip


def compile_firmware(name: str) -> Path:
    """ELF of tests/firmwares/<name>.c, compiled once for the same sources."""
    sources = [FIRMWARES / f"{name}.c", FIRMWARES / "startup.c"]
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in [*sources, FIRMWARES / "f746.h", FIRMWARES / "f746.ld"]:
        digest.update(path.read_bytes())
    target = cache_dir() / "test-firmwares" / f"{name}-{digest.hexdigest()[:16]}.elf"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fresh = Path(folder) / "image.elf"
        command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, f"-Wl,-T,{FIRMWARES / 'f746.ld'}"]
        command += [*map(str, sources), "-o", str(fresh)]
        subprocess.run(command, check=True, timeout=300)
        os.replace(fresh, target)
    return target


@pytest.fixture(scope="session")
def firmware() -> Callable[[str], Path]:
    return compile_firmware
