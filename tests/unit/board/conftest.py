"""Test firmwares compiled for the emulated board."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.paths import cache_dir
from testbeds.virtual.image import load_image
from testbeds.virtual.machine import Machine, Stop

FIRMWARES = Path(__file__).parents[2] / "firmwares"
FLAGS = (
    "-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m7-fp64+fp_armv8d16sp", "-O2", "-g0", "-ffunction-sections",
    "-nostdlib", "-fno-sanitize=all", "-fno-vectorize", "-Wl,--build-id=none", "-Wl,--gc-sections", "-Wl,--entry=reset",
)  # fmt: skip


def compile_firmware(name: str, **defines: int) -> Path:
    """ELF of tests/firmwares/<name>.c, compiled once for the same sources and macros."""
    macros = [f"-D{key}={value}" for key, value in sorted(defines.items())]
    sources = [FIRMWARES / f"{name}.c", FIRMWARES / "startup.c"]
    digest = hashlib.sha256(" ".join((*FLAGS, *macros)).encode())
    for path in [*sources, FIRMWARES / "f746.h", FIRMWARES / "f746.ld"]:
        digest.update(path.read_bytes())
    target = cache_dir() / "test-firmwares" / f"{name}-{digest.hexdigest()[:16]}.elf"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fresh = Path(folder) / "image.elf"
        command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, f"-Wl,-T,{FIRMWARES / 'f746.ld'}"]
        command += [*macros, *map(str, sources), "-o", str(fresh)]
        subprocess.run(command, check=True, timeout=300)
        fresh.replace(target)
    return target


@pytest.fixture(scope="session")
def firmware() -> Callable[[str], Path]:
    return compile_firmware


class Bench:
    """A machine with a test firmware, run until it parks; `results` is what the firmware found out."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.machine = Machine(load_image(path), **options)
        self.sent = bytearray()
        self.machine.usarts[1].on_byte = lambda byte, _start, _end: self.sent.append(byte)

    def run(self, turns: int = 2000) -> Bench:
        machine = self.machine
        for _ in range(turns):
            if machine.run() is Stop.IDLE:
                event = machine.next_event_t()
                if event is None:
                    return self
                machine.step_idle(max(0, event - machine.time.now_t))
        raise AssertionError("the firmware does not come to rest")

    def deliver(self, data: bytes) -> Bench:
        self.machine.usarts[1].deliver(data, self.machine.time.now_t)
        return self

    @property
    def results(self) -> list[int]:
        address = self.machine.image.symbols["results"]
        data = bytes(self.machine.uc.mem_read(address, 256))
        return [int.from_bytes(data[k : k + 4], "little") for k in range(0, 256, 4)]

    @property
    def done(self) -> bool:
        return self.results[63] == 0x600DF00D


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(name: str, *, options: dict[str, Any] | None = None, **defines: int) -> Bench:
        made.append(Bench(compile_firmware(name, **defines), **(options or {})))
        return made[-1]

    yield make
    for one in made:
        one.machine.close()
