"""Models RCC, PWR and FLASH: the clock tree and what must hold before 216 MHz (RM0385 3.3.2, 4.1.4, 5.2)."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from testbeds.virtual.bus import Device, Registers
from testbeds.virtual.faults import ChipMisuse

HSI_HZ = 16_000_000
HSE_HZ = 25_000_000  # the crystal of the STM32F746G-DISCO
LSE_HZ = 32_768
WAIT_STATE_HZ = 30_000_000  # one more wait state each 30 MHz at 2.7-3.6 V (RM0385 table 5)
MAX_HZ, MAX_HZ_NO_OVERDRIVE = 216_000_000, 180_000_000
MAX_HZ_SCALE = {3: 180_000_000, 2: 168_000_000, 1: 144_000_000}  # by PWR_CR1 VOS: 3 = scale 1 (no over-drive)
MAX_APB1_HZ, MAX_APB2_HZ = 54_000_000, 108_000_000

CR, PLLCFGR, CFGR, CIR, AHB1RSTR, APB2RSTR, AHB1ENR, BDCR, CSR, DCKCFGR2 = (
    0x00, 0x04, 0x08, 0x0C, 0x10, 0x24, 0x30, 0x70, 0x74, 0x90,
)  # fmt: skip
RESET_TO_ENABLE = 0x20  # an enable register lies this far above its reset register


class Pwr(Registers):
    """Models voltage scaling and over-drive: the ready bits follow at once."""

    clock_bit = (0x40, 28)
    resets = MappingProxyType({0x00: 0xC000, 0x04: 0x0000, 0x08: 0x0000, 0x0C: 0x0000})

    def read(self, offset: int) -> int | None:
        if offset == 0x04:
            overdrive = self.values[0] & 0x30000
            return self.values[4] | overdrive | 0x4000
        return super().read(offset)

    @property
    def overdrive(self) -> bool:
        return self.values[0] & 0x30000 == 0x30000

    @property
    def scale(self) -> int:
        return (self.values[0] >> 14) & 3


class Flash(Registers):
    """Models the flash interface: wait states count; erasing and programming are not modelled."""

    resets = MappingProxyType({0x00: 0x00000000, 0x0C: 0x00000000, 0x10: 0x80000000, 0x14: 0xC0FFAAFD})

    def write(self, offset: int, value: int, mask: int) -> bool:
        return offset == 0x00 and super().write(offset, value, mask)

    @property
    def wait_states(self) -> int:
        return self.values[0] & 0xF


class Rcc(Registers):
    """Models reset and clock control. Oscillators and the PLL are ready as soon as they are on.

    Args:
        on_clock: called with the new HCLK in Hz when it changes.
        reset_device: called with (RCC enable register offset, bit) when a reset bit is set.
    """

    resets = MappingProxyType({
        CR: 0x83, PLLCFGR: 0x24003010, CFGR: 0, CIR: 0,
        0x10: 0, 0x14: 0, 0x18: 0, 0x20: 0, 0x24: 0,
        0x30: 0x00100000, 0x34: 0, 0x38: 0, 0x40: 0, 0x44: 0,
        0x50: 0x7EF7B7FF, 0x54: 0xF1, 0x58: 0x3, 0x60: 0xFFFFCBFF, 0x64: 0x04F77F33,
        BDCR: 0, CSR: 0x0E000000, 0x80: 0, 0x84: 0x24003000, 0x88: 0x24003000, 0x8C: 0, DCKCFGR2: 0,
    })  # fmt: skip

    def __init__(
        self,
        name: str,
        base: int,
        pwr: Pwr,
        flash: Flash,
        on_clock: Callable[[int], None],
        reset_device: Callable[[tuple[int, int]], None],
    ) -> None:
        super().__init__(name, base)
        self._pwr, self._flash, self._on_clock, self._reset_device = pwr, flash, on_clock, reset_device

    def clocked(self, device: Device) -> bool:
        register, bit = device.clock_bit or (0, 0)
        return bool(self.values[register] >> bit & 1)

    def read(self, offset: int) -> int | None:
        value = super().read(offset)
        if value is None:
            return None
        if offset == CR:  # HSIRDY, HSERDY, PLLRDY, PLLI2SRDY, PLLSAIRDY follow their enable bits
            return (value & ~0x2A020002) | (value & 0x15010001) << 1
        if offset == CFGR:
            return (value & ~0xC) | (value & 3) << 2
        if offset in (BDCR, CSR):
            return (value & ~2) | (value & 1) << 1
        return value

    def write(self, offset: int, value: int, mask: int) -> bool:
        if offset == PLLCFGR and self.values[CR] & 1 << 24:
            return True  # locked while the PLL is on
        before = self.values.get(offset, 0)
        if not super().write(offset, value, mask):
            return False
        if offset in (CR, CFGR, PLLCFGR):
            self._apply(offset, before)
        elif AHB1RSTR <= offset <= APB2RSTR:
            for bit in range(32):
                if self.values[offset] >> bit & 1:
                    self._reset_device((offset + RESET_TO_ENABLE, bit))
        elif 0x30 <= offset <= 0x44:
            pass
        return True

    def _apply(self, offset: int, before: int) -> None:
        if offset == CR and self.sysclk_source_off():
            self.values[CR] = before  # the hardware keeps the oscillator that drives SYSCLK running
            return
        if offset == CFGR:
            self._check()
            self._on_clock(self.hclk)

    def sysclk_source_off(self) -> bool:
        return not self.values[CR] & {0: 1, 1: 1 << 16, 2: 1 << 24, 3: 0}[self.values[CFGR] & 3]

    def _pll_hz(self) -> int:
        word = self.values[PLLCFGR]
        source = HSE_HZ if word >> 22 & 1 else HSI_HZ
        if word >> 22 & 1 and not self.values[CR] >> 16 & 1:
            raise ChipMisuse("the PLL is fed by HSE, which is off")
        m, n, p = word & 0x3F, word >> 6 & 0x1FF, 2 * ((word >> 16 & 3) + 1)
        if m < 2 or not 950_000 <= source // m <= 2_100_000:
            raise ChipMisuse(f"PLL input is {source // max(m, 1)} Hz, the chip wants 0.95 to 2.1 MHz")
        vco = source * n // m
        if not 50 <= n <= 432 or not 100_000_000 <= vco <= 432_000_000:
            raise ChipMisuse(f"PLL VCO is {vco} Hz with N = {n}, the chip wants 100 to 432 MHz")
        return vco // p

    @property
    def sysclk(self) -> int:
        source = self.values[CFGR] & 3
        if source == 0:
            return HSI_HZ
        if source == 1:
            return HSE_HZ
        return self._pll_hz()

    @property
    def hclk(self) -> int:
        code = self.values[CFGR] >> 4 & 0xF
        return self.sysclk >> (0, 1, 2, 3, 4, 6, 7, 8, 9)[code - 7] if code >= 8 else self.sysclk

    def _divided(self, code: int) -> int:
        return self.hclk >> (code - 3) if code >= 4 else self.hclk

    @property
    def pclk1(self) -> int:
        return self._divided(self.values[CFGR] >> 10 & 7)

    @property
    def pclk2(self) -> int:
        return self._divided(self.values[CFGR] >> 13 & 7)

    def timer_clock(self, apb: int) -> int:
        """Return the clock of a timer on APB1 or APB2: twice PCLK when the bus is divided (RM0385 5.2, TIMPRE = 0)."""
        pclk = self.pclk1 if apb == 1 else self.pclk2
        code = self.values[CFGR] >> (10 if apb == 1 else 13) & 7
        return pclk if code < 4 else 2 * pclk

    def usart_clock(self, number: int) -> int:
        """Return the kernel clock of USART `number` (RCC_DCKCFGR2)."""
        position = {1: 0, 2: 2, 3: 4, 4: 6, 5: 8, 6: 10, 7: 12, 8: 14}[number]
        choice = self.values[DCKCFGR2] >> position & 3
        pclk = self.pclk2 if number in (1, 6) else self.pclk1
        return (pclk, self.sysclk, HSI_HZ, LSE_HZ)[choice]

    def _check(self) -> None:
        """Check that the clock that CFGR now selects is one that the chip can run at."""
        if self.values[CFGR] & 3 == 3 or self.sysclk_source_off():
            raise ChipMisuse("SYSCLK is switched to an oscillator that is off")
        hclk = self.hclk
        if hclk > MAX_HZ:
            raise ChipMisuse(f"HCLK would be {hclk} Hz, the chip stops at {MAX_HZ}")
        if hclk > MAX_HZ_NO_OVERDRIVE and not self._pwr.overdrive:
            raise ChipMisuse(f"HCLK would be {hclk} Hz without over-drive (PWR_CR1 ODEN and ODSWEN)")
        if hclk > MAX_HZ_SCALE.get(self._pwr.scale, MAX_HZ_NO_OVERDRIVE) and not self._pwr.overdrive:
            raise ChipMisuse(f"HCLK would be {hclk} Hz, too fast for this voltage scale")
        needed = max(0, -(-hclk // WAIT_STATE_HZ) - 1)
        if self._flash.wait_states < needed:
            raise ChipMisuse(
                f"HCLK would be {hclk} Hz with {self._flash.wait_states} flash wait states, {needed} are needed"
            )
        if self.pclk1 > MAX_APB1_HZ or self.pclk2 > MAX_APB2_HZ:
            raise ChipMisuse(f"APB1 would run at {self.pclk1} Hz and APB2 at {self.pclk2} Hz, limits 54 and 108 MHz")
