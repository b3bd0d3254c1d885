"""Attaches the cycle model to one Unicorn machine."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from unicorn import UC_HOOK_BLOCK, UC_HOOK_CODE, UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE, Uc
from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_PC, UC_ARM_REG_R0, UC_ARM_REG_R12, UC_ARM_REG_SP
from unicorn.unicorn_py3.unicorn import uclib

from harness.contracts.errors import BenchError
from testbeds.virtual.cycle_model import library
from testbeds.virtual.cycle_model.decode import KINDS, Access, Instruction, decode

NEVER = 2**64 - 1
_GENERAL = [*range(UC_ARM_REG_R0, UC_ARM_REG_R12 + 1), UC_ARM_REG_SP, UC_ARM_REG_LR, UC_ARM_REG_PC]


WRITE_CALLBACK = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_uint64, ctypes.c_void_p
)


class Idle:
    """Tells whether the guest is only waiting, by the C side in idle.c."""

    def __init__(self, lib: Any, model: ctypes.c_void_p) -> None:
        self._fields = lib.m7_get_idle(model).contents
        self.progress = partial(lib.m7_idle_progress, model)
        self.invalidate = partial(lib.m7_idle_invalidate, model)
        self.status = partial(lib.m7_idle_status, model)
        self.clock = partial(lib.m7_idle_clock, model)
        self.news = partial(lib.m7_idle_news, model)
        self.restless = partial(lib.m7_idle_restless, model)
        self.keep = partial(lib.m7_idle_keep, model)

    @property
    def reads_clock(self) -> bool:
        """Tell whether the loop looks at a clock too: it may have a time-out of its own."""
        return bool(self._fields.reads_clock)

    @property
    def quiet_reads(self) -> int:
        return int(self._fields.quiet_reads)


class CycleModel:
    """Counts modelled cycles of the guest of `uc`; line fills at 4 cycles unless `fills` is off.

    `counters` is live C memory: reading and writing its fields is immediate.
    """

    def __init__(self, uc: Uc, *, fills: bool = True) -> None:
        self._uc, self._lib = uc, library.load()
        self.failure: Exception | None = None
        self._kept: list[Any] = []  # what C points to
        self.on_decode: Callable[[set[str], int], None] = lambda _kinds, _address: None  # may raise
        self._decode_callback = library.DECODE_CALLBACK(self._decode)
        ids = (ctypes.c_int * 16)(*_GENERAL)
        stop, read = (ctypes.cast(f, ctypes.c_void_p) for f in (uclib.uc_emu_stop, uclib.uc_reg_read))
        handle = self._lib.m7_new(self._decode_callback, stop, read, ids)
        if not handle:
            raise MemoryError("cycle model")
        self._m: ctypes.c_void_p | None = ctypes.c_void_p(handle)
        self.counters = self._lib.m7_get_counters(self._m).contents
        self.counters.fills_on = int(fills)
        self.idle = Idle(self._lib, self._m)
        self._hook(UC_HOOK_BLOCK, self._lib.m7_on_block)
        self._hook(UC_HOOK_CODE, self._lib.m7_on_code)
        uc.ctl_flush_tb()
        if (registers := find_registers(uc)) is not None:
            self._lib.m7_set_registers(self._m, registers)

    def close(self) -> None:
        """Free the C side. The machine must not run any more."""
        if self._m:
            self._lib.m7_free(self._m)
            self._m = None

    def _hook(self, kind: int, function: Any) -> None:
        handle = ctypes.c_size_t()
        status = uclib.uc_hook_add(
            self._uc._uch,
            ctypes.byref(handle),
            ctypes.c_int(kind),
            ctypes.cast(function, ctypes.c_void_p),
            self._m,
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if status:
            raise BenchError(f"Unicorn refused a hook (error {status})", cure="pip install unicorn==2.1.4")

    def _decode(self, _m: int, address: int, size: int) -> int:
        try:
            instructions, accesses = decode(bytes(self._uc.mem_read(address, size)), address)
            self.on_decode({i.kind for i in instructions}, address)
            self._define(address, size, instructions, accesses)
        except Exception as e:  # must cross C: it is kept, and raised by who runs the machine
            self.failure = e
            return -1
        return 0

    def _define(self, address: int, size: int, instructions: list[Instruction], accesses: list[Access]) -> None:
        insns = (library.Insn * max(1, len(instructions)))()
        for record, i in zip(insns, instructions, strict=False):
            registers = i.reads + i.writes
            if len(registers) > library.MAX_REGS:
                raise BenchError(f"{i.text} at 0x{i.pc:08x} names too many registers for the cycle model")
            record.pc, record.kind, record.latency, record.beats = i.pc, KINDS.index(i.kind), i.latency, i.beats
            record.accumulator, record.ends_block = i.accumulator, i.ends_block
            record.n_reads, record.n_writes = len(i.reads), len(i.writes)
            for k, register in enumerate(registers):
                record.regs[k] = register
        ops = (library.Op * max(1, len(accesses)))()
        for op, a in zip(ops, accesses, strict=False):
            offset = ctypes.c_int32(a.offset).value
            op.pc, op.offset, op.base, op.index, op.shift = a.pc, offset, a.base, a.index, a.shift
            op.count, op.step, op.words = a.count, a.step, a.words
        if self._lib.m7_define(self._m, address, size, insns, len(instructions), ops, len(accesses)):
            raise MemoryError("cycle model")

    # --- peripherals ---
    def set_slow_read(self, read: Callable[[int, int, int, int | None], int]) -> None:
        """Set `read(uc, offset, size, base)`, which answers what the kept status registers can't."""
        self._slow_read = library.READ_CALLBACK(read)
        self._lib.m7_set_slow_read(self._m, self._slow_read)

    def map_peripherals(self, base: int, size: int, write: Callable[[Any, int, int, int, int], None]) -> None:
        """Map a peripheral range: reads go through C first, writes to `write(uc, offset, size, value, base)`."""

        def crossing(_uc: int, offset: int, width: int, value: int, _data: int | None) -> None:
            write(self._uc, offset, width, value, base)

        callback, place = WRITE_CALLBACK(crossing), library.Range(self._m, base)
        self._kept += [callback, place]
        status = uclib.uc_mmio_map(
            self._uc._uch,
            ctypes.c_uint64(base),
            ctypes.c_size_t(size),
            ctypes.cast(self._lib.m7_on_read, ctypes.c_void_p),
            ctypes.byref(place),
            callback,
            None,
        )
        if status:
            raise BenchError(f"Unicorn refused a peripheral range (error {status})", cure="pip install unicorn==2.1.4")

    # --- time ---
    @property
    def now(self) -> int:
        """Return the cycles since reset, exact to the instruction that runs."""
        return int(self._lib.m7_now(self._m))

    def skip(self, cycles: int) -> None:
        """Let idle time pass."""
        self._lib.m7_skip(self._m, cycles)

    # --- state ---
    def reset(self) -> None:
        self._lib.m7_reset(self._m)

    def flush_pipe(self) -> None:
        """Empty the pipe on exception entry or return, so that the next block starts on an empty one."""
        self._lib.m7_flush_pipe(self._m)

    def invalidate(self, *, data: bool = False, instructions: bool = False) -> None:
        self._lib.m7_invalidate(self._m, int(data), int(instructions))

    def forget(self) -> None:
        """Reset predictor, caches and pipe; time goes on."""
        self._lib.m7_forget(self._m)

    def snapshot(self) -> None:
        if self._lib.m7_snapshot(self._m):
            raise MemoryError("cycle model")

    def restore(self) -> None:
        if self._lib.m7_restore(self._m):
            raise BenchError("no snapshot to restore")

    # --- what ran ---
    def clear_profile(self) -> None:
        self._lib.m7_profile_clear(self._m)

    def blocks(self) -> Iterator[Any]:
        """Return every block decoded so far (library.Block), the empty root of the graph first."""
        yield self._lib.m7_root(self._m).contents
        for k in range(self._lib.m7_n_blocks(self._m)):
            yield self._lib.m7_get_block(self._m, k).contents

    # --- verification ---
    def trace(self, length: int) -> None:
        """Start recording the addresses of data accesses as computed, at most `length`; 0 stops."""
        if self._lib.m7_trace(self._m, length):
            raise MemoryError("trace")

    def traced(self, length: int) -> list[int]:
        out = (ctypes.c_uint32 * length)()
        return list(out[: self._lib.m7_trace_read(self._m, out, length)])

    def trace_memory_hook(self) -> None:
        """Record what Unicorn reports of every access instead (slow; for tests)."""
        self._hook(UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, self._lib.m7_on_memory)
        self._uc.ctl_flush_tb()


_PATTERNS = ([0x5A17C000 + 0x01010101 * k for k in range(13)], [0x36E9B000 ^ 0x01030507 * k for k in range(13)])


def find_registers(uc: Uc) -> int | None:
    """Return the address of r0..r15 in Unicorn's own state, by writing patterns to the registers and finding them.

    Reading a register through the API costs 30 ns, through this address less than 1 ns. The search covers what the
    machine's structure points to, by /proc/self/mem (which can't fault); where nothing is found it returns None, and
    the API is used then.
    """
    kept = [uc.reg_read(register) for register in _GENERAL]
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY)
    except OSError:
        return None
    try:
        _write(uc, _PATTERNS[0])
        wanted = b"".join(value.to_bytes(4, "little") for value in _PATTERNS[0])
        structure = _read(memory, int(uc._uch.value), 4096)
        for pointer in {int.from_bytes(structure[k : k + 8], "little") for k in range(0, len(structure) - 7, 8)}:
            if pointer < 0x10000 or pointer >= 1 << 47 or pointer % 8:
                continue
            found = re.search(re.escape(wanted), _read(memory, pointer, 1 << 16))
            if found is None:
                continue
            address = pointer + found.start()
            _write(uc, _PATTERNS[1])
            values = _read(memory, address, 4 * 13)
            if values == b"".join(value.to_bytes(4, "little") for value in _PATTERNS[1]):
                return address
            _write(uc, _PATTERNS[0])
    finally:
        os.close(memory)
        for register, value in zip(_GENERAL[:15], kept, strict=False):
            uc.reg_write(register, value)
    return None


def _write(uc: Uc, values: list[int]) -> None:
    for register, value in zip(_GENERAL, values, strict=False):
        uc.reg_write(register, value & 0xFFFFFFFF)


def _read(memory: int, address: int, size: int) -> bytes:
    for length in (size, 16384, 4096, 4096 - address % 4096):
        try:
            return os.pread(memory, length, address)
        except OSError:
            continue
    return b""
