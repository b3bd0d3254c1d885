"""Reads what a fault of the firmware left in RAM: the record of ports/stm32f746/startup.c, in words.

The core is parked after a fault. A reset keeps RAM, and it is the start-up code that clears the record: so a debug
probe reads it after a reset that halts before the first instruction. The status bits are those of the ARMv7-M
Architecture Reference Manual (ARM DDI 0403E), sections B3.2.15 (CFSR) and B3.2.16 (HFSR).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path

from harness.contracts.errors import BenchError
from harness.contracts.testbed import Crash

SYMBOL = "fault_record"
MAGIC = 0xFA171ED0
FIELDS = ("magic", "cfsr", "hfsr", "mmfar", "bfar", "r0", "r1", "r2", "r3", "r12", "lr", "pc", "psr")

_CAUSES = {
    0: "instruction fetch from where none may be",
    1: "access to where none may be",
    3: "stack broken at an exception's return",
    4: "no room on the stack",
    5: "no room on the stack for floating-point registers",
    8: "bus error at an instruction fetch",
    9: "bus error",
    10: "bus error of an earlier write",
    11: "bus error at an exception's return",
    12: "no room on the stack",
    13: "bus error while floating-point registers were stacked",
    16: "undefined instruction",
    17: "jump to an address that is no Thumb code",
    18: "broken exception return",
    19: "floating-point instruction while the unit is off",
    24: "unaligned access",
    25: "division by zero",
}
_MMFAR_VALID, _BFAR_VALID = 1 << 7, 1 << 15
_HFSR_VECTOR, _HFSR_DEBUG = 1 << 1, 1 << 31
_LINE = re.compile(r"^\s*(?:0x)?([0-9a-f]{8}):((?:\s+[0-9a-f]{8})+)", re.IGNORECASE | re.MULTILINE)


def decoded(words: Sequence[int], image: Path) -> Crash | None:
    """Return the crash that a record tells of; None when it tells of none.

    Args:
        words: the record's words, one for each field, 32 bits each.
        image: the ELF that the board ran, for the names of functions.
    """
    if len(words) < len(FIELDS) or words[0] != MAGIC:
        return None
    record = dict(zip(FIELDS, words, strict=False))
    at, caller = (_function(image, record[name]) for name in ("pc", "lr"))
    where = f"at pc 0x{record['pc']:08x}{f' in {at}' if at else ''}"
    came = f", called from {caller}" if caller and caller != at else ""
    registers = [f"{name} {record[name]:08x}" for name in FIELDS[1:]]
    return Crash(
        f"{_cause(record)} {where}{came}",
        ("  ".join(registers[:4]), "  ".join(registers[4:8]), "  ".join(registers[8:])),
    )


def _cause(record: dict[str, int]) -> str:
    cfsr, hfsr = record["cfsr"], record["hfsr"]
    causes = list(dict.fromkeys(text for bit, text in _CAUSES.items() if cfsr >> bit & 1))
    if not causes:
        causes = ["vector table could not be read"] if hfsr & _HFSR_VECTOR else []
        causes += ["breakpoint without a debugger"] if hfsr & _HFSR_DEBUG else []
    text = " and ".join(causes) or "fault without a cause"
    if cfsr & _MMFAR_VALID:
        text += f" (address 0x{record['mmfar']:08x})"
    elif cfsr & _BFAR_VALID:
        text += f" (address 0x{record['bfar']:08x})"
    return text


def parsed(output: str, address: int, count: int) -> list[int]:
    """Return `count` words from `address` on out of what a debug probe's program printed; fewer when it printed fewer.

    Both print lines of an address and words: OpenOCD's `mdw` eight of them, pyOCD's `read32` four and their ASCII.
    """
    found: dict[int, int] = {}
    for line in _LINE.finditer(output):
        base = int(line[1], 16)
        found |= {base + 4 * k: int(word, 16) for k, word in enumerate(line[2].split())}
    words: list[int] = []
    while len(words) < count and (at := address + 4 * len(words)) in found:
        words.append(found[at])
    return words


def address_of(image: Path) -> int | None:
    """Return where the record is; None in an image without one.

    Raises:
        BenchError: the image can't be read.
    """
    return next((value for name, value, _ in _symbols(image) if name == SYMBOL), None)


def _function(image: Path, address: int) -> str:
    at = address & ~1
    return next((name for name, value, size in _symbols(image) if value & ~1 <= at < (value & ~1) + size), "")


def _symbols(image: Path) -> list[tuple[str, int, int]]:
    """Return name, value and size of every symbol that has a size."""
    from elftools.common.exceptions import ELFError  # noqa: PLC0415 - only once something has crashed
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    try:
        with image.open("rb") as f:
            table = ELFFile(f).get_section_by_name(".symtab")
            symbols = [] if table is None else list(table.iter_symbols())
    except (OSError, ELFError, struct.error) as e:
        raise BenchError(f"{image} is no board image ({e})", cure="build it again") from e
    return [(s.name, int(s["st_value"]), int(s["st_size"])) for s in symbols if s["st_size"]]
