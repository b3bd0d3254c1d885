"""Builds the dialect's C sources as a shared library on this host: the board's sources, for tests and stand-ins."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir

HERE = Path(__file__).resolve().parent
SOURCES = ("eembc.h", "eembc.c", "eembc_host.c")
_FLAGS = (
    *("-std=c11", "-ffreestanding", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC"),
    *("-fsanitize=undefined", "-fsanitize-trap=undefined"),  # a slip ends the process instead of passing
)

_PUT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char)
_NOW = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)
_INFER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_RESULT = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_void_p, ctypes.c_uint32)


def build() -> Path:
    """Return the shared library, compiled by the pinned compiler when its sources have changed.

    Raises:
        BenchError: the compiler is missing or refuses the sources.
    """
    digest = hashlib.sha256()
    for text in (*(HERE.joinpath(name).read_bytes() for name in SOURCES), " ".join(_FLAGS).encode()):
        digest.update(text)
    library = cache_dir() / "eembc" / f"eembc-{digest.hexdigest()[:16]}.so"
    if library.exists():
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    part = library.with_suffix(f".{os.getpid()}.part.so")
    sources = [str(HERE / name) for name in SOURCES if name.endswith(".c")]
    command = [sys.executable, "-m", "ziglang", "cc", *_FLAGS, "-shared", "-o", str(part), *sources]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise BenchError(f"the compiler can't be run ({e})", cure="pip install ziglang==0.17.1") from e
    if done.returncode:
        first = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise BenchError(f"the EEMBC sources don't compile: {first}", cure="pip install ziglang==0.17.1")
    part.replace(library)
    return library


class CDut:
    """Runs the C dialect with a network and a clock in Python: it takes bytes by `feed` and gives the answer's bytes.

    Args:
        network: makes `results` scores of the input's bytes.
        infer_us: by how much one inference moves its clock on.
    """

    def __init__(
        self,
        network: Callable[[bytes], list[float]],
        *,
        input_bytes: int,
        results: int,
        infer_us: int = 50_000,
        name: str = "c-dialect",
        model: str = "ic01",
    ) -> None:
        self.clock_us = 0
        self.inferences = 0
        self.taken = 0  # commands that the C side says it took
        self._network = network
        self._infer_us = infer_us
        self._scores: list[float] = []
        self._out = bytearray()
        self._input = (ctypes.c_uint8 * input_bytes)()
        self._library = ctypes.CDLL(str(build()))
        self._library.eembc_host_feed.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32]
        self._library.eembc_host_boot.argtypes = [ctypes.c_void_p]
        self._callbacks = (_PUT(self._put), _NOW(self._now), _INFER(self._infer), _RESULT(self._result))
        self._text = (name.encode(), model.encode())
        self._state = (ctypes.c_uint64 * (-(-self._library.eembc_host_bytes() // 8)))()
        self._library.eembc_host_init(
            self._state,
            *self._callbacks,
            *self._text,
            self._input,
            ctypes.c_uint32(input_bytes),
            ctypes.c_uint32(results),
        )

    def boot(self) -> bytes:
        """Return what the device says when it starts."""
        self._library.eembc_host_boot(self._state)
        return self._flush()

    def feed(self, data: bytes) -> bytes:
        """Take bytes, and return what the device sends meanwhile."""
        self.taken += self._library.eembc_host_feed(self._state, data, len(data))
        return self._flush()

    def _flush(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    def _put(self, context: int, c: bytes) -> None:
        self._out += c

    def _now(self, context: int) -> int:
        return self.clock_us

    def _infer(self, context: int) -> int:
        self.clock_us += self._infer_us
        self.inferences += 1
        self._scores = self._network(bytes(self._input))
        return 0

    def _result(self, context: int, index: int) -> float:
        return self._scores[index]
