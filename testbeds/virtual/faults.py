"""What went wrong in the guest, as an engineer wants it: address, PC, function, registers. Never a traceback."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.contracts.errors import BenchError


class ChipMisuse(Exception):
    """The firmware did what the real chip would not survive; becomes a GuestFault with the PC."""


@dataclass(frozen=True)
class FaultRecord:
    """One fault of the guest."""

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
    """The guest faulted and can't go on."""

    exit_code = 3

    def __init__(self, record: FaultRecord) -> None:
        where = f" in {record.function}" if record.function else ""
        super().__init__(f"firmware fault: {record.what} at pc 0x{record.pc:08x}{where}", cure="see the registers")
        self.record = record
