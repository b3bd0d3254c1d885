"""Checks that flash and static RAM (from the image) and the stack (as painted) are within the chip.

Run it with `pytest --testbed X -m memory`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.hil.measuring import Hil
from testbeds.firmware.toolchain.footprint import footprint

pytestmark = [pytest.mark.hil, pytest.mark.memory]

_FLASH = 0x0800_0000
_RAM = 0x2000_0000
_TARGETS = ("stm32f746",)  # whose image is an ELF at the chip's own addresses


def test_the_image_and_its_stack_fit_the_chip(
    hil: Hil, hil_scheme: str, hil_property: Callable[[str, object], None]
) -> None:
    if hil.description.target not in _TARGETS:
        pytest.skip(f"an image for {hil.description.target} has no addresses of its own")
    board = hil.board(hil_scheme)
    hil.see(hil_scheme, hil.images[0])
    flash, ram = hil.description.flash_bytes, hil.description.ram_bytes
    found = footprint(hil.firmware[hil_scheme], flash=(_FLASH, flash), ram=(_RAM, ram))
    stats = board.device.stats()
    hil_property("flash_bytes", found.flash_bytes)
    hil_property("ram_bytes", found.ram_bytes + stats.stack_used_bytes)
    assert 0 < found.flash_bytes <= min(flash, hil.description.limits.get("flash_bytes", flash))
    assert 0 < stats.stack_used_bytes < stats.stack_total_bytes
    assert found.ram_bytes + stats.stack_used_bytes <= min(ram, hil.description.limits.get("ram_bytes", ram))


def test_static_ram_and_stack_as_the_device_tells_them_fit_the_chip(
    hil: Hil, hil_scheme: str, hil_property: Callable[[str, object], None]
) -> None:
    ram = hil.description.ram_bytes
    if not ram:
        pytest.skip(f"the memory of {hil.description.title} is not limited")
    stats = hil.see(hil_scheme, hil.images[0]).stats
    hil_property("told_ram_bytes", stats.static_ram_bytes + stats.stack_used_bytes)
    assert 0 < stats.stack_used_bytes < stats.stack_total_bytes
    assert stats.static_ram_bytes > 0
    assert stats.static_ram_bytes + stats.stack_used_bytes <= min(ram, hil.description.limits.get("ram_bytes", ram))


def test_nothing_was_lost_on_the_lines(hil: Hil, hil_scheme: str) -> None:
    seen = hil.see(hil_scheme, hil.images[0])
    assert seen.stats.console_overruns == 0
    assert seen.stats.module_overruns == 0
