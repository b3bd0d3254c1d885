"""Reads flash and RAM of a firmware image from its ELF; the stack's depth comes from the painted stack on the board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.contracts.errors import BenchError

_SHF_WRITE, _SHF_ALLOC = 0x1, 0x2


@dataclass(frozen=True)
class Footprint:
    """Counts the bytes of an image. `ram_bytes` is static; the stack comes on top."""

    flash_bytes: int
    ram_bytes: int


def footprint(elf: Path, *, flash: tuple[int, int], ram: tuple[int, int]) -> Footprint:
    """Return the bytes loaded into flash (code, constants, initial values) and static RAM (.data, .bss and the like).

    Args:
        flash: first address and size of the flash.
        ram: first address and size of the RAM.

    Raises:
        BenchError: the file is no ELF.
    """
    try:
        with elf.open("rb") as f:
            image = ELFFile(f)
            loaded = [s.header for s in image.iter_segments("PT_LOAD")]
            sections = [(s.name, s.header) for s in image.iter_sections()]
    except (OSError, ELFError) as e:
        raise BenchError(f"{elf} is no firmware image ({e})", cure="build it again") from e
    in_flash = sum(h.p_filesz for h in loaded if flash[0] <= h.p_paddr < flash[0] + flash[1])
    in_ram = sum(
        h.sh_size
        for name, h in sections
        if h.sh_flags & _SHF_ALLOC and ram[0] <= h.sh_addr < ram[0] + ram[1] and "stack" not in name
    )
    return Footprint(int(in_flash), int(in_ram))
