"""Loads the C half of the cycle model with ctypes; the pinned ziglang wheel compiles it at first use."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir

MAX_REGS = 56
_HERE = Path(__file__).parent
_SOURCES = ("model.h", "schedule.c", "model.c", "state.c", "idle.c")
_FLAGS = ("-shared", "-fPIC", "-O2", "-std=c11", "-fno-sanitize=all")


class Insn(ctypes.Structure):
    """Mirrors m7_insn of model.h."""

    _fields_ = (
        ("pc", ctypes.c_uint32),
        ("accumulator", ctypes.c_int16),
        ("kind", ctypes.c_uint8),
        ("latency", ctypes.c_uint8),
        ("beats", ctypes.c_uint8),
        ("ends_block", ctypes.c_uint8),
        ("n_reads", ctypes.c_uint8),
        ("n_writes", ctypes.c_uint8),
        ("regs", ctypes.c_uint8 * MAX_REGS),
    )


class Op(ctypes.Structure):
    """Mirrors m7_op of model.h."""

    _fields_ = (
        ("pc", ctypes.c_uint32),
        ("offset", ctypes.c_int32),
        ("base", ctypes.c_uint8),
        ("index", ctypes.c_uint8),
        ("shift", ctypes.c_uint8),
        ("count", ctypes.c_uint8),
        ("step", ctypes.c_uint8),
        ("words", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 2),
    )


class Block(ctypes.Structure):
    """Mirrors m7_block of model.h."""


class Edge(ctypes.Structure):
    """Mirrors m7_edge of model.h."""

    _fields_ = (
        ("address", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("cost", ctypes.c_uint32),
        ("to", ctypes.POINTER(Block)),
        ("taken", ctypes.c_uint64),
        ("mispredicted", ctypes.c_uint64),
    )


Block._fields_ = (
    *((name, ctypes.c_uint32) for name in ("address", "size", "n_insns", "alone", "first_line", "last_line")),
    *((name, ctypes.c_uint32) for name in ("id", "n_edges", "cap_edges", "cached_fetch")),
    ("insns", ctypes.POINTER(Insn)),
    ("ops", ctypes.POINTER(Op)),
    ("edges", ctypes.POINTER(Edge)),
    ("data_fills", ctypes.c_uint64),
    ("instruction_fills", ctypes.c_uint64),
)


class Counters(ctypes.Structure):
    """Mirrors m7_counters of model.h."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("cycles", "skipped", "instructions", "mispredicted")),
        *((name, ctypes.c_uint64) for name in ("data_fills", "instruction_fills", "blocks", "deadline")),
        *((name, ctypes.c_uint32) for name in ("stop", "pc", "in_block", "failed", "last_cost")),
        *((name, ctypes.c_uint32) for name in ("fill_cycles", "mispredict_cycles", "fills_on", "unaligned")),
    )


class Range(ctypes.Structure):
    """Mirrors m7_range of idle.c."""

    _fields_ = (("model", ctypes.c_void_p), ("base", ctypes.c_void_p))


class Idle(ctypes.Structure):
    """Mirrors the head of m7_idle of model.h."""

    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("last_instructions", "valid_until")),
        *((name, ctypes.c_uint32) for name in ("quiet_reads", "clock_reads", "reads_clock", "patience")),
        *((name, ctypes.c_uint32) for name in ("single_pending", "used")),
    )


READ_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_void_p)
DECODE_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)

_PROTOTYPES: dict[str, tuple[object, tuple[object, ...]]] = {
    "m7_new": (ctypes.c_void_p, (DECODE_CALLBACK, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)),
    "m7_free": (None, (ctypes.c_void_p,)),
    "m7_get_counters": (ctypes.POINTER(Counters), (ctypes.c_void_p,)),
    "m7_set_registers": (None, (ctypes.c_void_p, ctypes.c_void_p)),
    "m7_n_blocks": (ctypes.c_uint32, (ctypes.c_void_p,)),
    "m7_get_block": (ctypes.POINTER(Block), (ctypes.c_void_p, ctypes.c_uint32)),
    "m7_root": (ctypes.POINTER(Block), (ctypes.c_void_p,)),
    "m7_define": (
        ctypes.c_int,
        (ctypes.c_void_p, *(ctypes.c_uint32,) * 2, *(ctypes.c_void_p, ctypes.c_uint32) * 2),
    ),
    "m7_get_idle": (ctypes.POINTER(Idle), (ctypes.c_void_p,)),
    "m7_idle_progress": (None, (ctypes.c_void_p,)),
    "m7_idle_invalidate": (None, (ctypes.c_void_p,)),
    "m7_idle_status": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)),
    "m7_idle_clock": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_uint32)),
    "m7_idle_news": (None, (ctypes.c_void_p, ctypes.c_uint32)),
    "m7_idle_restless": (ctypes.c_int, (ctypes.c_void_p,)),
    "m7_idle_keep": (None, (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int)),
    "m7_set_slow_read": (None, (ctypes.c_void_p, READ_CALLBACK)),
    "m7_trace": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_uint32)),
    "m7_trace_read": (ctypes.c_uint32, (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)),
    "m7_now": (ctypes.c_uint64, (ctypes.c_void_p,)),
    "m7_skip": (None, (ctypes.c_void_p, ctypes.c_uint64)),
    "m7_flush_pipe": (None, (ctypes.c_void_p,)),
    "m7_invalidate": (None, (ctypes.c_void_p, ctypes.c_int, ctypes.c_int)),
    "m7_forget": (None, (ctypes.c_void_p,)),
    "m7_reset": (None, (ctypes.c_void_p,)),
    "m7_profile_clear": (None, (ctypes.c_void_p,)),
    "m7_snapshot": (ctypes.c_int, (ctypes.c_void_p,)),
    "m7_restore": (ctypes.c_int, (ctypes.c_void_p,)),
}


@cache
def load() -> ctypes.CDLL:
    """Return the compiled library, from the cache folder or compiled now (about 4 s).

    Raises:
        BenchError: the compiler is missing or fails, or the cache folder can't be written.
    """
    path = _compiled()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as e:
        raise BenchError(f"the compiled cycle model {path} can't be loaded ({e})", cure="delete that file") from e
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, list(arguments)
    return library


def _compiled() -> Path:
    digest = hashlib.sha256(" ".join(_FLAGS).encode())
    for name in _SOURCES:
        digest.update((_HERE / name).read_bytes())
    target = cache_dir() / "virtual" / f"m7model-{digest.hexdigest()[:16]}.so"
    if target.exists():
        return target
    sources = [str(_HERE / name) for name in _SOURCES if name.endswith(".c")]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            fresh = Path(folder) / target.name
            command = [sys.executable, "-m", "ziglang", "cc", *_FLAGS, *sources, "-o", str(fresh)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                raise BenchError(
                    f"the cycle model does not compile: {(done.stderr or done.stdout).strip()[:300]}",
                    cure="pip install ziglang==0.17.1",
                )
            os.replace(fresh, target)  # noqa: PTH105 - atomic: two processes may compile at once
    except OSError as e:
        raise BenchError(f"{target.parent} can't be written ({e})", cure="set AGILENN_CACHE_DIR") from e
    except subprocess.TimeoutExpired as e:
        raise BenchError("compiling the cycle model took over 300 s", cure="try again on a less busy machine") from e
    return target
