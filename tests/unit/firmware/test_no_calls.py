"""Words move without calls: ESP-IDF compiles for the ESP32 with -fno-builtin-memcpy (5.2.2 and later), under which a
memcpy of 4 bytes is a call; one inference would make hundreds of thousands of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from testbeds.firmware.generator.graph import generate
from testbeds.firmware.toolchain import build as building
from testbeds.firmware.toolchain.compiler import find_compiler
from testbeds.firmware.toolchain.describe import write_description

pytestmark = pytest.mark.slow

WEIGHTS = Path(__file__).parents[3] / "baselines" / "weights" / "cifar10-compact"
FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fno-strict-aliasing", "-fno-builtin-memcpy", "-Wno-unknown-pragmas")
HEADS = ("-ffreestanding", "-I", str(building.PORTS / "stm32f746"))  # a <string.h> that only declares


def compilers() -> list[pytest.param]:
    """The pinned compiler for a 32-bit machine of strict alignment, and Debian's for Xtensa where it is installed."""
    zig = [*find_compiler("zig").argv, "-target", "riscv32-freestanding-none"]
    xtensa = shutil.which("xtensa-lx106-elf-gcc")
    skip = pytest.mark.skipif(xtensa is None, reason="Debian's gcc-xtensa-lx106 is not installed")
    return [pytest.param(zig, id="riscv32"), pytest.param([xtensa or ""], id="xtensa", marks=skip)]


def calls_of_memcpy(argv: list[str], source: Path, folders: list[Path]) -> int:
    """Calls in the assembly of one source."""
    includes = [option for folder in folders for option in ("-I", str(folder))]
    out = source.parent / f"{source.stem}.s"
    subprocess.run([*argv, *FLAGS, *includes, *HEADS, "-S", str(source), "-o", str(out)], check=True)
    return len(
        re.findall(r"^\s+(?:call\w*|j\w*|tail|l32r|\.literal)\b.*\bmemcpy\b", out.read_text("latin-1"), re.MULTILINE)
    )


@pytest.mark.parametrize("argv", compilers())
@pytest.mark.parametrize("scheme", ["agilenn", "local_only"])
def test_kernels_and_local_run_call_no_memcpy(argv: list[str], scheme: str, tmp_path: Path) -> None:
    artefact = WEIGHTS / scheme
    write_description(artefact, tmp_path)
    generate(artefact / "device.tflite", tmp_path, variant="fast")
    folders = [tmp_path, building.CORE, building.KERNELS]
    sources = sorted(tmp_path.glob("*.c"))
    for name in ("local.c", "combine.c"):
        sources.append(Path(shutil.copy(building.CORE / name, tmp_path / name)))
    found = {source.name: calls_of_memcpy(argv, source, folders) for source in sources}
    assert sum(found.values()) == 0, found


def test_the_count_sees_a_call(tmp_path: Path) -> None:
    """Of a plain memcpy under the same flags, so that the test above can fail."""
    source = tmp_path / "one.c"
    source.write_text("#include <string.h>\nint f(const char *p) { int v; memcpy(&v, p, 4); return v; }\n")
    for parameter in compilers():
        if not parameter.marks or shutil.which("xtensa-lx106-elf-gcc"):
            assert calls_of_memcpy(parameter.values[0], source, []) >= 1


def test_a_scheme_that_never_encodes_has_no_encoders_workspace(tmp_path: Path) -> None:
    """25 KB, where ESP-IDF's static data and local-only's arena leave an ESP32 little else."""
    sizes = {}
    for scheme in ("local_only", "agilenn"):
        folder = tmp_path / scheme
        folder.mkdir()
        write_description(WEIGHTS / scheme, folder)
        generate(WEIGHTS / scheme / "device.tflite", folder, variant="fast")
        argv = [*find_compiler("zig").argv, "-target", "riscv32-freestanding-none", *FLAGS, *HEADS]
        includes = [option for at in (folder, building.CORE, building.KERNELS) for option in ("-I", str(at))]
        subprocess.run([*argv, *includes, "-c", str(building.CORE / "local.c"), "-o", folder / "local.o"], check=True)
        with (folder / "local.o").open("rb") as f:
            symbols = ELFFile(f).get_section_by_name(".symtab").iter_symbols()
            sizes[scheme] = sum(s["st_size"] for s in symbols if s.name == "work")
    assert sizes["local_only"] == 0 < sizes["agilenn"]
