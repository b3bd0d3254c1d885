"""Decodes basic blocks for the cycle model: what each instruction is, reads, writes and costs, and where it accesses.

The rules are those of docs/board.md; they were fitted to published times of real STM32F746 boards with this very
classification, so its simplifications (a branch with link writes no register, a base that is loaded over counts as a
base update) belong to the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from capstone import CS_ARCH_ARM, CS_GRP_JUMP, CS_MODE_MCLASS, CS_MODE_THUMB, Cs
from capstone.arm import ARM_OP_MEM, ARM_OP_REG, ARM_REG_LR, ARM_REG_PC, ARM_REG_R0, ARM_REG_R12, ARM_REG_SP

KINDS = ("ALU", "LD", "ST", "MAC", "DIV", "VFP", "BR", "DSP", "IT", "SH")  # order of the enum in model.h
ACC_NONE, ACC_WIDE = -1, -2
NO_REGISTER = 0xFF

DSP_NAMES = frozenset((
    "sxtb16", "sxtab16", "uxtb16", "uxtab16", "pkhbt", "pkhtb", "qadd", "qsub", "ssat", "usat", "ssat16", "usat16",
    "rev", "rev16", "qadd16", "qsub16", "sadd16", "ssub16", "qadd8", "qsub8", "sel", "uadd8", "usub8", "ssub8", "sadd8",
    "uqsub8", "shadd16", "rbit", "clz",
))  # fmt: skip
MULTIPLY = (
    "smla", "smul", "mla", "mls", "mul", "smmla", "smmul", "smua", "smus", "smml", "smls", "umull", "umlal", "smlal",
    "umaal",
)  # fmt: skip
LONG_MULTIPLY = ("smull", "umull", "smlal", "umlal")
LOAD_MANY = ("ldm", "pop", "vldm", "vpop")
STORE_MANY = ("stm", "push", "vstm", "vpush")
SHIFT = ("lsl", "lsr", "asr", "ror", "sxt", "uxt", "bfi", "ubfx", "sbfx", "bfc")
BRANCHES = frozenset(("bl", "blx", "bx", "b", "cbz", "cbnz"))

# Result latencies in cycles (table in docs/board.md).
LOAD_LATENCY, SIGNED_LOAD_LATENCY, MAC_LATENCY, VFP_LATENCY, VFP_DIVIDE_LATENCY, DIVIDE_LATENCY = 2, 3, 2, 3, 14, 8
DIVIDE_BEATS = 6


@dataclass(frozen=True)
class Instruction:
    """Describes one instruction as the scoreboard sees it. Registers are capstone's numbers."""

    pc: int
    kind: str
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    latency: int = 1
    beats: int = 1
    accumulator: int = ACC_NONE
    ends_block: bool = False
    text: str = ""


@dataclass(frozen=True)
class Access:
    """Describes a memory access: at `base + (index << shift) + offset`, `count` times, `step` bytes apart."""

    pc: int
    offset: int
    base: int = NO_REGISTER
    index: int = NO_REGISTER
    shift: int = 0
    count: int = 1
    step: int = 4
    words: bool = False  # an unaligned address is a fault (ARMv7-M architecture manual, A3.2.1)


_disassembler = None


def disassemble(code: bytes, address: int) -> list[Any]:
    """Return capstone's instructions of a straight run of Thumb code, up to the first that it can't decode."""
    global _disassembler  # noqa: PLW0603 - made at first use: importing must cost nothing
    if _disassembler is None:
        _disassembler = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
        _disassembler.detail = True
    return list(_disassembler.disasm(code, address))


def decode(code: bytes, address: int) -> tuple[list[Instruction], list[Access]]:
    """Return the instructions and memory accesses of a basic block of `code` at `address`."""
    raw = disassemble(code, address)
    accesses = [access for x in raw if (access := _access(x)) is not None]
    return [_instruction(x) for x in raw], accesses


def _instruction(x: Any) -> Instruction:
    name = x.mnemonic.split(".")[0]
    reads, writes = (tuple(sorted(set(registers))) for registers in x.regs_access())
    kind, latency, beats, accumulator = "ALU", 1, 1, ACC_NONE
    if name.startswith(("ldr", "vldr", *LOAD_MANY)):
        kind = "LD"
        latency = SIGNED_LOAD_LATENCY if name.startswith(("ldrsb", "ldrsh")) else LOAD_LATENCY
        if name.startswith(LOAD_MANY):
            beats = max(1, (len(writes) + 1) // 2)
    elif name.startswith(("str", "vstr", *STORE_MANY)):
        kind = "ST"
        if name.startswith(STORE_MANY):
            beats = max(1, len(x.operands) // 2)
    elif name.startswith(MULTIPLY):
        kind, latency = "MAC", MAC_LATENCY
        if len(x.operands) == 4 and not name.startswith(LONG_MULTIPLY):
            accumulator = x.operands[-1].reg
        if name.startswith(("smlal", "umlal")):
            accumulator = ACC_WIDE
    elif name in ("sdiv", "udiv"):
        kind, latency, beats = "DIV", DIVIDE_LATENCY, DIVIDE_BEATS
    elif name.startswith("v"):
        kind, latency = "VFP", VFP_DIVIDE_LATENCY if name.startswith(("vdiv", "vsqrt")) else VFP_LATENCY
    elif x.group(CS_GRP_JUMP) or name in BRANCHES:
        kind = "BR"
        if name.startswith("bl"):
            writes = ()
    elif name in DSP_NAMES:
        kind = "DSP"
    elif name.startswith("it") or name == "nop":
        kind, latency = "IT", 0
    elif name.startswith(SHIFT) or _shifts_an_operand(x):
        kind = "SH"
    ends_block = name.startswith(("ldr", "pop", "ldm")) and any(
        o.type == ARM_OP_REG and o.reg == ARM_REG_PC and o.access & 2 for o in x.operands
    )
    text = f"{x.mnemonic} {x.op_str}".strip()
    return Instruction(x.address, kind, reads, writes, latency, beats, accumulator, ends_block, text)


def _shifts_an_operand(x: Any) -> bool:
    return any(o.type == ARM_OP_REG and o.shift.type != 0 and o.shift.value != 0 for o in x.operands)


def _register(capstone_number: int) -> int:
    """Return the index into r0..r15, or NO_REGISTER."""
    named = {ARM_REG_SP: 13, ARM_REG_LR: 14, ARM_REG_PC: 15}
    if capstone_number in named:
        return named[capstone_number]
    if ARM_REG_R0 <= capstone_number <= ARM_REG_R12:
        return int(capstone_number - ARM_REG_R0)
    return NO_REGISTER


def _access(x: Any) -> Access | None:
    name = x.mnemonic.split(".")[0]
    if name.startswith(("ldm", "stm", "vldm", "vstm", "push", "pop", "vpush", "vpop")):
        return _many(x, name)
    if not name.startswith(("ldr", "str", "vldr", "vstr", "tbb", "tbh")):
        return None
    memory = next((o for o in x.operands if o.type == ARM_OP_MEM), None)
    if memory is None:
        return None
    offset = 0 if "]," in x.op_str else memory.mem.disp  # "[r1], #4" accesses r1 itself
    count = 2 if name.startswith(("ldrd", "strd")) else 1
    words = name.startswith(("ldrd", "strd", "vldr", "vstr")) or name in ("ldrex", "strex")
    base = _register(memory.mem.base)
    if base == 15:
        aligned = (x.address + 4) if name.startswith(("tbb", "tbh")) else (x.address + 4) & ~3
        base, offset = NO_REGISTER, aligned + offset
    if memory.mem.index == 0:
        return Access(x.address, offset, base, count=count, words=words)
    shift = memory.shift.value if memory.shift.type else memory.mem.lshift
    if name.startswith("tbh"):
        shift = 1
    return Access(x.address, offset, base, _register(memory.mem.index), shift, count)


def _many(x: Any, name: str) -> Access:
    """Return the access of LDM, STM, PUSH, POP and their VFP forms: one a register, from the lowest address up."""
    stack = name.startswith(("push", "pop", "vpush", "vpop"))
    registers = [o.reg for o in x.operands[0 if stack else 1 :] if o.type == ARM_OP_REG]
    double = name.startswith("v") and x.reg_name(registers[0]).startswith("d")
    step = 8 if double else 4
    down = name.startswith(("push", "vpush")) or name.endswith("db")
    base = 13 if stack else _register(x.operands[0].reg)
    start = -step * len(registers) if down else 0
    return Access(x.address, start, base, count=len(registers), step=step, words=True)
