"""Describes what went wrong in the guest as an engineer wants it: address, PC, function, registers, no traceback."""

from __future__ import annotations

from dataclasses import dataclass, field

from unicorn import (
    UC_MEM_FETCH_PROT,
    UC_MEM_FETCH_UNMAPPED,
    UC_MEM_READ_PROT,
    UC_MEM_READ_UNMAPPED,
    UC_MEM_WRITE_PROT,
    UC_MEM_WRITE_UNMAPPED,
    Uc,
    UcError,
)
from unicorn.arm_const import (
    UC_ARM_REG_CONTROL,
    UC_ARM_REG_IPSR,
    UC_ARM_REG_LR,
    UC_ARM_REG_PC,
    UC_ARM_REG_R0,
    UC_ARM_REG_SP,
    UC_ARM_REG_XPSR,
)

from harness.contracts.errors import BenchError
from testbeds.virtual.memory import FLASH, FLASH_ALIAS, FLASH_BYTES

_NAMES = [*(f"r{k}" for k in range(13)), "sp", "lr", "pc"]
_REGISTERS = [*range(UC_ARM_REG_R0, UC_ARM_REG_R0 + 13), UC_ARM_REG_SP, UC_ARM_REG_LR, UC_ARM_REG_PC]
INTERRUPTS = {1: "undefined instruction", 3: "instruction fetch fault", 4: "data fault", 7: "breakpoint",
               17: "FPU instruction while the FPU is off", 18: "invalid processor state"}  # fmt: skip
_ACCESS = {
    UC_MEM_READ_UNMAPPED: "read",
    UC_MEM_WRITE_UNMAPPED: "write",
    UC_MEM_FETCH_UNMAPPED: "fetch",
    UC_MEM_READ_PROT: "read",
    UC_MEM_WRITE_PROT: "write",
    UC_MEM_FETCH_PROT: "fetch",
}


class ChipMisuse(Exception):
    """Says that the firmware did what the real chip would not survive; it becomes a GuestFault with the PC."""


@dataclass(frozen=True)
class FaultRecord:
    """Records one fault of the guest."""

    what: str
    pc: int
    function: str
    registers: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        where = f" in {self.function}" if self.function else ""
        out = [f"fault: {self.what}", f"  pc 0x{self.pc:08x}{where}"]
        named = [f"{name} {value:08x}" for name, value in self.registers.items()]
        out += ["  " + "  ".join(named[k : k + 6]) for k in range(0, len(named), 6)]
        return out


class GuestFault(BenchError):
    """Says that the guest faulted and can't go on."""

    exit_code = 3

    def __init__(self, record: FaultRecord) -> None:
        where = f" in {record.function}" if record.function else ""
        super().__init__(f"firmware fault: {record.what} at pc 0x{record.pc:08x}{where}", cure="see the registers")
        self.record = record


def describe(uc: Uc, error: UcError, invalid: tuple[int, int] | None, pc: int) -> str:
    """Return what Unicorn stopped for, in words. `invalid` is the (access, address) of an access that went nowhere."""
    if invalid is None:
        return f"undefined instruction {bytes(uc.mem_read(pc, 4)).hex()}" if error.errno == 10 else str(error)
    access, address = invalid
    what = _ACCESS.get(access, "access")
    flash = FLASH <= address < FLASH + FLASH_BYTES or FLASH_ALIAS <= address < FLASH_ALIAS + FLASH_BYTES
    where = "flash, which is not writable" if flash and what == "write" else "no memory there"
    return f"{what} at 0x{address:08x} ({where})"


def registers(uc: Uc) -> dict[str, int]:
    """Return r0 to pc, xpsr, ipsr and control."""
    values = {name: uc.reg_read(r) & 0xFFFFFFFF for name, r in zip(_NAMES, _REGISTERS, strict=True)}
    special = {"xpsr": UC_ARM_REG_XPSR, "ipsr": UC_ARM_REG_IPSR, "control": UC_ARM_REG_CONTROL}
    return values | {name: uc.reg_read(r) for name, r in special.items()}
