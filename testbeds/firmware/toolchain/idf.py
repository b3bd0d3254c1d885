"""Builds the ESP32's image by the user's ESP-IDF: `idf.py` over the project in testbeds/esp32/firmware."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir
from testbeds.firmware.toolchain.compiler import Compiler

PROJECT = Path(__file__).resolve().parents[2] / "esp32" / "firmware"
FLASH_BEGIN = 0x1000  # the ESP32's ROM looks for the bootloader there (ESP-IDF programming guide, bootloader)
FLASH_BYTES = 4 << 20
DATA_BYTES = 180_736  # dram0_0_seg of ESP-IDF 5's memory.ld.in for the ESP32
BUILD_TIMEOUT_S = 1800
_ERASED = b"\xff"
_CURE = (
    "install ESP-IDF 5.1 to 5.5 and run its export.sh in this shell, or set AGILENN_ESP32_PORT=standin for the stand-in"
)


def find_idf() -> Compiler:
    """Return the user's ESP-IDF.

    Raises:
        BenchError: `idf.py` is not on PATH, does not run, or is not of version 5.1 to 5.5. In 5.0 the options that
            start Wi-Fi have other names; in 6.x esp-mqtt, and `driver` as one component, are gone (docs/esp32.md).
    """
    program = shutil.which("idf.py")
    if program is None:
        raise BenchError("the ESP32's image is built by ESP-IDF, but idf.py is not on PATH", cure=_CURE)
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=120, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as e:
        raise BenchError(f"{program} does not run ({e})", cure=_CURE) from e
    said = done.stdout.strip().splitlines()
    version = said[-1] if said else "unknown"
    if not re.search(r"\bv5\.[1-5]\b", version):
        raise BenchError(f"this bench needs ESP-IDF 5.1 to 5.5, {program} is {version}", cure=_CURE)
    return Compiler((program,), version, is_zig=False)


def build_project(compiler: Compiler, sources: Sequence[Path], includes: Sequence[Path], out: Path) -> dict[str, int]:
    """Build an image of these C sources and write it to `out`, from `FLASH_BEGIN` on.

    One build folder serves every scheme, so that ESP-IDF itself is compiled once; builds wait for one another.

    Returns:
        Sizes: `flash_bytes` of the application.

    Raises:
        BenchError: ESP-IDF fails, with its first error line, or takes longer than half an hour.
    """
    home = cache_dir() / "esp-idf"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "lock"):
        generated = home / "generated"
        shutil.rmtree(generated, ignore_errors=True)
        generated.mkdir()
        text = f"set(AGILE_SOURCES\n{_quoted(sources)})\nset(AGILE_INCLUDES\n{_quoted(includes)})\n"
        (generated / "agile.cmake").write_text(text, encoding="utf-8")
        key = configuration_key((PROJECT / "sdkconfig.defaults").read_bytes(), compiler.version)
        build = home / f"build-{key}"
        argv = [*compiler.argv, "-C", str(PROJECT), "-B", str(build), "-D", f"SDKCONFIG={home / f'sdkconfig-{key}'}"]
        _run([*argv, "-D", "IDF_TARGET=esp32", "reconfigure", "build"], generated)
        return _merge(build, out)


def configuration_key(defaults: bytes, version: str) -> str:
    """Name a configuration: once made, sdkconfig wins over its defaults, so that other ones have to begin anew."""
    return hashlib.sha256(defaults + version.encode()).hexdigest()[:12]


def _run(argv: list[str], generated: Path) -> None:
    environment = os.environ | {"AGILE_GENERATED": str(generated), "IDF_COMPONENT_MANAGER": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, env=environment, check=False,
            stdin=subprocess.DEVNULL, errors="replace",
        )  # fmt: skip
    except OSError as e:
        raise BenchError(f"{argv[0]} does not run ({e})", cure=_CURE) from e
    except subprocess.TimeoutExpired as e:
        raise BenchError(f"ESP-IDF took longer than {BUILD_TIMEOUT_S} s", cure="free this machine and try again") from e
    if done.returncode != 0:
        said = (done.stdout + "\n" + done.stderr).splitlines()
        if over := re.search(r"region [`'](\w+)' overflowed by (\d+) bytes", "\n".join(said)):
            raise BenchError(
                f"the image does not fit the ESP32: {int(over[2]):,} bytes too many in {over[1]}"
                + (f" (of {DATA_BYTES:,})" if over[1] == "dram0_0_seg" else ""),
                cure="a smaller network: its arena is the largest part",
            )
        wrong = [line.strip() for line in said if "error:" in line.lower() or "overflowed" in line] or said[-1:]
        raise BenchError(
            f"ESP-IDF can't build the image: {wrong[0][:300] if wrong else 'no message'}",
            cure=f"see {argv[argv.index('-B') + 1]}/log, or try a smaller network if it is too large",
        )


def _merge(build: Path, out: Path) -> dict[str, int]:
    """Merge bootloader, partition table and application into one file, which lies from FLASH_BEGIN on."""
    try:
        parts = json.loads((build / "flasher_args.json").read_text(encoding="utf-8"))["flash_files"]
        placed = {int(offset, 16): (build / name).read_bytes() for offset, name in parts.items()}
    except (OSError, ValueError, KeyError, AttributeError) as e:
        raise BenchError(f"ESP-IDF left no readable flasher_args.json in {build} ({e})", cure=f"remove {build}") from e
    if not placed or min(placed) != FLASH_BEGIN or max(o + len(d) for o, d in placed.items()) > FLASH_BYTES:
        raise BenchError(
            f"ESP-IDF built for other flash addresses ({sorted(placed)})",
            cure=f"remove {build} and the sdkconfig beside it",
        )
    image = bytearray()
    for offset, data in sorted(placed.items()):
        image += _ERASED * (offset - FLASH_BEGIN - len(image))
        image += data
    out.write_bytes(image)
    return {"flash_bytes": len(placed[max(placed)])}


def _quoted(paths: Sequence[Path]) -> str:
    return "".join(f'  "{path.as_posix()}"\n' for path in paths)
