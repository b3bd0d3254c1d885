"""Runs libFuzzer on the C parsers with address and undefined-behaviour sanitizers (`python -m harness.bench fuzz`).

The fuzzer in the pinned compiler wheel is a different one, which does not link here; so this takes clang with its
compiler-rt (Debian: clang and libclang-rt-14-dev).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.contracts.errors import BenchError
from testbeds.firmware.toolchain.build import CORE, CORE_CODECS, HERE

TARGET = HERE / "fuzz" / "fuzz_parsers.c"
FLAGS = ("-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", "-fno-strict-aliasing")
CURE = "apt install clang libclang-rt-14-dev (or your release's)"


@dataclass(frozen=True)
class Fuzzed:
    """Records what a run did: inputs tried, edges of the code reached, and how long the slowest input took."""

    inputs: int
    edges: int
    seconds: int
    slowest_s: int


def missing() -> str | None:
    """Return why libFuzzer can't be used here, or None when it can."""
    if shutil.which("clang") is None:
        return "libFuzzer needs clang, which is not here"
    with tempfile.TemporaryDirectory(prefix="agilenn-fuzz-") as work:
        source = Path(work) / "empty.c"
        source.write_text(
            "#include <stddef.h>\nint LLVMFuzzerTestOneInput(const void *p, size_t n);\n"
            "int LLVMFuzzerTestOneInput(const void *p, size_t n) { return p == NULL && n == 1; }\n"
        )
        done = _clang([*FLAGS, str(source), "-o", str(source.with_suffix(""))], Path(work))
        return None if done.returncode == 0 else "this clang comes without libFuzzer"


def fuzz(seconds: int, *, seed: int = 1, corpus: Path | None = None) -> Fuzzed:
    """Fuzz for `seconds` of wall time. `corpus` is a folder that is read at first and grows (by default none is kept).

    Raises:
        BenchError: there is no libFuzzer here, or an input crashes, hangs or breaks a promise (it is kept).
    """
    if why := missing():
        raise BenchError(why, cure=CURE)
    with tempfile.TemporaryDirectory(prefix="agilenn-fuzz-") as folder:
        work = Path(folder)
        sources = [str(CORE / name) for name in CORE_CODECS] + [str(TARGET)]
        built = _clang([*FLAGS, f"-I{CORE}", *sources, "-o", "fuzz_parsers"], work)
        if built.returncode:
            raise BenchError(f"the fuzz target does not compile: {(built.stderr.splitlines() or ['?'])[0]}")
        own = work / "corpus"
        own.mkdir()
        options = [f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=4096", "-timeout=10", "-rss_limit_mb=512",
                   "-print_final_stats=1", "-artifact_prefix=found-"]  # fmt: skip
        done = subprocess.run(
            [str(work / "fuzz_parsers"), *options, str(corpus or own)],
            cwd=work, capture_output=True, text=True, errors="replace", check=False, timeout=seconds + 120,
        )  # fmt: skip
        if done.returncode:
            raise _found(work, done.stderr)
    edges = re.findall(r"cov: (\d+)", done.stderr)
    return Fuzzed(
        _figure(done.stderr, "number_of_executed_units"),
        int(edges[-1]) if edges else 0,
        seconds,
        _figure(done.stderr, "slowest_unit_time_sec"),
    )


def _clang(arguments: list[str], work: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["clang", *arguments], cwd=work, capture_output=True, text=True, errors="replace", check=False, timeout=300
    )


def _figure(text: str, name: str) -> int:
    found = re.search(rf"stat::{name}:\s+(\d+)", text)
    return int(found[1]) if found else 0


def _found(work: Path, said: str) -> BenchError:
    """Return the error for a failing run, whose input goes where the user is, so that it can be tried again."""
    kept = []
    for path in work.glob("found-*"):
        shutil.copyfile(path, Path.cwd() / path.name)
        kept.append(path.name)
    what = [line for line in said.splitlines() if "ERROR" in line or "runtime error" in line]
    return BenchError(
        f"the C parsers fail on {', '.join(kept) or 'an input'}: {(what or ['see -v'])[0].strip()}",
        cure="mend the parser; the input is kept in this folder",
    )
