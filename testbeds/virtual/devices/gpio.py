"""Models GPIO ports A-K and SYSCFG (RM0385 chapters 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import ClassVar

from testbeds.virtual.bus import WORD, Registers

MODER, OTYPER, OSPEEDR, PUPDR, IDR, ODR, BSRR, LCKR, AFRL, AFRH = range(0x00, 0x28, 4)
INPUT, OUTPUT, ALTERNATE, ANALOG = range(4)


class Gpio(Registers):
    """Models one port. `on_output(port, odr)` is called when the output register changes."""

    _RESETS: ClassVar = {"A": {MODER: 0xA8000000, OSPEEDR: 0x0C000000, PUPDR: 0x64000000},
               "B": {MODER: 0x00000280, OSPEEDR: 0x000000C0, PUPDR: 0x00000100}}  # fmt: skip

    def __init__(self, letter: str, base: int, on_output: Callable[[str, int], None]) -> None:
        self.letter, self._on_output = letter, on_output
        self.resets = dict.fromkeys((MODER, OTYPER, OSPEEDR, PUPDR, IDR, ODR, BSRR, LCKR, AFRL, AFRH), 0)
        self.resets |= self._RESETS.get(letter, {})
        self.clock_bit = (0x30, ord(letter) - ord("A"))
        self.external: dict[int, int] = {}  # pin -> level that something outside drives
        super().__init__(f"GPIO{letter}", base)

    def mode(self, pin: int) -> int:
        return self.values[MODER] >> (2 * pin) & 3

    def alternate(self, pin: int) -> int | None:
        """Return the alternate function of a pin, or None when the pin is in another mode."""
        if self.mode(pin) != ALTERNATE:
            return None
        return self.values[AFRH if pin > 7 else AFRL] >> (4 * (pin % 8)) & 0xF

    def read(self, offset: int) -> int | None:
        if offset == IDR:
            return sum(self._level(pin) << pin for pin in range(16))
        if offset == BSRR:
            return 0
        return super().read(offset)

    def _level(self, pin: int) -> int:
        if self.mode(pin) == OUTPUT:
            return self.values[ODR] >> pin & 1
        pull_up = self.values[PUPDR] >> (2 * pin) & 3 == 1
        return self.external.get(pin, int(pull_up))

    def write(self, offset: int, value: int, mask: int) -> bool:
        if offset == IDR:
            return True
        before = self.values[ODR]
        if offset == BSRR:
            self.values[ODR] = (before & ~(value >> 16) | value) & 0xFFFF
        elif not super().write(offset, value, mask):
            return False
        if self.values[ODR] != before:
            self._on_output(self.letter, self.values[ODR])
        return True


class Syscfg(Registers):
    """Models SYSCFG as storage only."""

    clock_bit = (0x44, 14)
    resets = MappingProxyType({0x00: 0, 0x04: 0, 0x08: 0, 0x0C: 0, 0x10: 0, 0x14: 0, 0x1C: 0, 0x20: 0x100 & WORD})
