"""What the image leaves in registers of the chip, and in its own header, as the vendor's start-up code has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from testbeds.virtual.board import Board

PLLCFGR, VTOR = 0x04, 0xD08


@pytest.mark.slow
def test_vector_table_pll_and_entry_point(stub_build: Callable[..., Path]) -> None:
    image = stub_build("stm32f746")
    board = Board(image, with_console=False)
    try:
        board.machine.scb.values[VTOR] = 0x20000000  # as something before it may have left it
        board.run_until_parked()
        assert board.machine.scb.values[VTOR] == 0x08000000
        assert board.machine.rcc.values[PLLCFGR] >> 28 == 2  # reserved bits, at their reset value (RM0385, 5.3.2)
        with image.open("rb") as f:
            elf = ELFFile(f)
            reset = next(s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()
                         if s.name == "Reset_Handler")  # fmt: skip
            assert elf["e_entry"] == reset | 1  # Thumb
    finally:
        board.close()
