"""Calls C compilers: the pinned zig wheel for every target, or another by path."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir

COMPILE_TIMEOUT_S = 600
# The core asks clang not to unroll some loops; other compilers need not understand that.
_WARN = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")
# -fomit-frame-pointer: the kernels need every register; with one kept back a dense layer costs 6 % more cycles.
_COMMON = (
    "-O3",
    "-g0",
    "-fomit-frame-pointer",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-ffunction-sections",
    "-fdata-sections",
)
# Single-precision FPU: the F746 has no double precision, so an accidental double is a link error, not a fault.
_ZIG_M7 = ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m7-fp64+fp_armv8d16sp")
_GCC_M7 = ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16")


@dataclass(frozen=True)
class Compiler:
    """Holds how to call a C compiler, and what it says it is."""

    argv: tuple[str, ...]
    version: str
    is_zig: bool

    @property
    def label(self) -> str:
        """Return the name and version for records."""
        return self.version

    def target_flags(self, target: str) -> tuple[str, ...]:
        """Return the flags that choose the machine.

        The targets are `stm32f746`, `native` (an executable), `host` (a shared library) and `esp32-standin` (an
        executable around the ESP32's port; ESP-IDF's linker gives memory bounds other names).
        """
        if target == "stm32f746":
            return (_ZIG_M7 if self.is_zig else _GCC_M7) + ("-ffreestanding", "-DFW_DTCM")
        if target == "esp32-standin":
            names = {
                "_data_start": "__data_start",
                "_data_end": "_edata",
                "_bss_start": "__bss_start",
                "_bss_end": "_end",
            }
            return ("-DFW_OWN_RADIO", "-pthread", *(f"-D{idf}={here}" for idf, here in names.items()))
        return ("-fPIC",) if target == "host" else ()


def find_compiler(cc: str) -> Compiler:
    """Return the compiler named `cc`: "zig" for the pinned wheel, else a command or path such as `arm-none-eabi-gcc`.

    Raises:
        BenchError: it is not there or does not run.
    """
    if cc == "zig":
        if importlib.util.find_spec("ziglang") is None:
            raise BenchError("the C compiler (ziglang) is not installed", cure="pip install ziglang==0.17.1")
        zig = (sys.executable, "-m", "ziglang")
        return Compiler((*zig, "cc"), f"zig {_first_line((*zig, 'version'))}", is_zig=True)
    path = shutil.which(cc)
    if path is None:
        raise BenchError(f"no C compiler {cc!r}", cure="give the path of one, or leave --cc at zig")
    return Compiler((path,), _first_line((path, "--version")), is_zig=False)


def _environment() -> dict[str, str]:
    """Return a compiler's environment: its cache goes into ours, its messages are English, preloads stay out."""
    inherited = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return inherited | {"ZIG_GLOBAL_CACHE_DIR": str(cache_dir() / "zig"), "LC_ALL": "C"}


@cache
def _first_line(argv: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=120, check=True, env=_environment(), stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as e:
        raise BenchError(f"the C compiler {' '.join(argv)} does not run ({e})", cure="reinstall it") from e
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"


def run_compiler(argv: list[str], cwd: Path) -> None:
    """Run one compiler or linker call.

    Raises:
        BenchError: it fails, with its first error line.
    """
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=COMPILE_TIMEOUT_S,
            check=False,
            env=_environment(),
            stdin=subprocess.DEVNULL,
        )
    except OSError as e:
        raise BenchError(f"the C compiler {argv[0]} does not run ({e})", cure="reinstall it") from e
    except subprocess.TimeoutExpired as e:
        raise BenchError(
            f"the C compiler took longer than {COMPILE_TIMEOUT_S} s",
            cure="free this machine's processors and try again",
        ) from e
    if done.returncode != 0:
        raise CompileError(done.stderr)


class CompileError(BenchError):
    """Says that the compiler or linker refused; `stderr` is what it said."""

    def __init__(self, stderr: str) -> None:
        self.stderr = stderr
        lines = [line.strip() for line in stderr.splitlines() if "error" in line.lower()] or stderr.splitlines()
        super().__init__(
            f"the C compiler failed: {lines[0][:300] if lines else 'no message'}",
            cure="report it with the scheme's files, or try another --cc",
        )


def compile_all(
    compiler: Compiler,
    target: str,
    sources: Sequence[tuple[Path, tuple[str, ...]]],
    includes: Sequence[Path],
    work: Path,
) -> list[Path]:
    """Compile each (source, its extra flags) to an object in `work`, two at a time; return them in the same order."""

    def one(numbered: tuple[int, tuple[Path, tuple[str, ...]]]) -> Path:
        number, (source, extra) = numbered
        out = work / f"{number:02d}-{source.stem}.o"
        argv = [*compiler.argv, *compiler.target_flags(target), *_WARN, *_COMMON, *extra]
        if compiler.is_zig and not any(flag.startswith("-fsanitize") for flag in extra):
            argv.append("-fno-sanitize=undefined")
        argv += [flag for folder in includes for flag in ("-I", str(folder))]
        run_compiler([*argv, "-c", str(source), "-o", str(out)], work)
        return out

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(one, enumerate(sources)))
