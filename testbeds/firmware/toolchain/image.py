"""Reads what an image takes of the board's memories from the ELF alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from harness.contracts.errors import BenchError

RAM_BASE = 0x20000000


@dataclass(frozen=True)
class ImageSizes:
    """Counts bytes in flash (what is loaded) and static RAM (data, zeroed data and the reserved stack)."""

    flash_bytes: int
    ram_static_bytes: int
    stack_bytes: int


def image_sizes(elf: Path) -> ImageSizes:
    """Return the flash and RAM of a board image.

    Raises:
        BenchError: the file is no ELF, or lacks the board's sections.
    """
    try:
        with elf.open("rb") as f:
            image = ELFFile(f)
            flash = sum(s["p_filesz"] for s in image.iter_segments() if s["p_type"] == "PT_LOAD")
            ram = stack = 0
            for section in image.iter_sections():
                if section["sh_flags"] & 2 and section["sh_addr"] >= RAM_BASE:  # SHF_ALLOC
                    ram += section["sh_size"]
                    stack += section["sh_size"] if section.name == ".stack" else 0
    except (OSError, ELFError) as e:
        raise BenchError(f"{elf} is no readable board image ({e})", cure="build it again") from e
    return ImageSizes(flash, ram, stack)


def symbols(elf: Path) -> dict[str, int]:
    """Return the addresses of the image's symbols by name."""
    try:
        with elf.open("rb") as f:
            table = ELFFile(f).get_section_by_name(".symtab")
            if not isinstance(table, SymbolTableSection):
                return {}
            return {s.name: int(s["st_value"]) for s in table.iter_symbols() if s.name}
    except (OSError, ELFError) as e:
        raise BenchError(f"{elf} is no readable board image ({e})", cure="build it again") from e
