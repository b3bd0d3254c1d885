"""Models the Cortex-M7's private peripheral bus: DWT, SysTick, caches (ARMv7-M ARM, chapters B3 and C1)."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from testbeds.virtual.bus import WORD, Device, Registers
from testbeds.virtual.cycle_model.cycles import CycleModel

UNLOCK = 0xC5ACCE55
TRCENA = 1 << 24


class CoreDebug(Registers):
    """Models DHCSR, DCRSR, DCRDR and DEMCR, of which only DEMCR's TRCENA has an effect."""

    resets = MappingProxyType({0x0: 0, 0xC: 0})

    @property
    def trace_enabled(self) -> bool:
        return bool(self.values[0xC] & TRCENA)


class Dwt(Registers):
    """Models the cycle counter, which counts only with TRCENA and CYCCNTENA set; writes need the lock opened first."""

    kept = ("values", "unlocked", "base_cycles", "stopped_at")
    size = 0x1000
    resets = MappingProxyType({0x00: 0x40000000, 0x08: 0, 0x0C: 0, 0x10: 0, 0x14: 0, 0x18: 0})
    CTRL, CYCCNT, LAR, LSR = 0x00, 0x04, 0xFB0, 0xFB4

    def __init__(self, base: int, model: CycleModel, debug: CoreDebug) -> None:
        super().__init__("DWT", base)
        self._model, self._debug = model, debug
        debug_write = debug.write

        def write_and_settle(offset: int, value: int, mask: int) -> bool:
            known = debug_write(offset, value, mask)
            self._settle()
            return known

        debug.write = write_and_settle  # type: ignore[method-assign]
        self.reset()

    def reset(self) -> None:
        super().reset()
        self.unlocked = False
        self.base_cycles = 0  # cycle at which CYCCNT was 0, while counting
        self.stopped_at: int | None = 0  # the count while stopped

    @property
    def counting(self) -> bool:
        return bool(self.values[self.CTRL] & 1) and self._debug.trace_enabled

    def _settle(self) -> None:
        """Start or stop the counter after a change of its enables."""
        now = self._model.now
        if self.counting and self.stopped_at is not None:
            self.base_cycles, self.stopped_at = now - self.stopped_at, None
        elif not self.counting and self.stopped_at is None:
            self.stopped_at = (now - self.base_cycles) & WORD

    def read(self, offset: int) -> int | None:
        if offset == self.CYCCNT:
            return self.stopped_at if self.stopped_at is not None else (self._model.now - self.base_cycles) & WORD
        if offset == self.LSR:
            return 1 if self.unlocked else 3
        return super().read(offset)

    def write(self, offset: int, value: int, mask: int) -> bool:
        if offset == self.LAR:
            self.unlocked = value == UNLOCK
            return True
        if not self.unlocked or not self._debug.trace_enabled:
            return True  # ignored by the chip
        if offset == self.CYCCNT:
            if self.stopped_at is not None:
                self.stopped_at = value
            else:
                self.base_cycles = self._model.now - value
            return True
        known = super().write(offset, value, mask)
        self._settle()
        return known


class SysTick(Device):
    """Models the 24-bit down counter, which runs from the core clock or an eighth of it."""

    size = 0x10
    kept = ("control", "reload", "start_cycles", "start_value", "flag_cycles")
    ENABLE, TICKINT, CLKSOURCE, COUNTFLAG = 1, 2, 4, 1 << 16

    def __init__(self, base: int, model: CycleModel, on_change: Callable[[], None]) -> None:
        super().__init__("SysTick", base)
        self._model, self._on_change = model, on_change
        self.reset()

    def reset(self) -> None:
        self.control, self.reload = 0, 0
        self.start_cycles, self.start_value = 0, 0  # the counter held start_value at start_cycles
        self.flag_cycles = 0  # wraps before this cycle have been seen through COUNTFLAG

    @property
    def step(self) -> int:
        """Return the core cycles in one count."""
        return 1 if self.control & self.CLKSOURCE else 8

    def _first_zero(self) -> int:
        """Return the cycle at which the counter first reaches 0 after its start (a start at 0 reloads first)."""
        counts = self.start_value if self.start_value else self.reload + 1
        return self.start_cycles + counts * self.step

    def wraps(self, cycles: int) -> int:
        """Return how often the counter has reached 0 up to `cycles`."""
        if not self.control & self.ENABLE or self.reload == 0 or cycles < self._first_zero():
            return 0
        return 1 + (cycles - self._first_zero()) // ((self.reload + 1) * self.step)

    def next_wrap(self, cycles: int) -> int | None:
        """Return the cycle of the next wrap after `cycles`, or None while the counter is stopped."""
        if not self.control & self.ENABLE or self.reload == 0:
            return None
        return self._first_zero() + self.wraps(cycles) * (self.reload + 1) * self.step

    def value(self, cycles: int) -> int:
        if not self.control & self.ENABLE:
            return self.start_value
        first, period = self._first_zero(), (self.reload + 1) * self.step
        if cycles < first:
            gone = (cycles - self.start_cycles) // self.step
            return self.start_value - gone if self.start_value else (self.reload + 1 - gone) % (self.reload + 1)
        return (self.reload + 1 - (cycles - first) % period // self.step) % (self.reload + 1)

    def read(self, offset: int) -> int | None:
        now = self._model.now
        if offset == 0x0:
            flag = self.wraps(now) > self.wraps(self.flag_cycles) if self.flag_cycles >= self.start_cycles else False
            self.flag_cycles = now
            return self.control | (self.COUNTFLAG if flag else 0)
        if offset == 0x4:
            return self.reload
        if offset == 0x8:
            return self.value(now)
        return 0xC0000000 if offset == 0xC else None

    def write(self, offset: int, value: int, mask: int) -> bool:
        now = self._model.now
        if offset == 0x0:
            held = self.value(now)
            self.control = value & 7
            self.start_cycles, self.start_value, self.flag_cycles = now, held, now
        elif offset == 0x4:
            self.reload = value & 0xFFFFFF
        elif offset == 0x8:
            self.start_cycles, self.start_value, self.flag_cycles = now, 0, now
        else:
            return False
        self._on_change()
        return True


class CacheControl(Device):
    """Identifies and maintains the caches (SCB 0xE000ED78.., 0xE000EF50..): it acts on the modelled caches."""

    kept = ("select",)

    def __init__(self, model: CycleModel) -> None:
        super().__init__("cache maintenance", 0xE000EF00)
        self._model, self.select = model, 0

    def reset(self) -> None:
        self.select = 0

    def read(self, offset: int) -> int | None:
        return {0x40: 0x10110021, 0x44: 0x11000011, 0x48: 0x40}.get(offset)  # MVFR0-2 of the single-precision FPU

    def write(self, offset: int, value: int, mask: int) -> bool:
        if offset == 0x50:  # ICIALLU
            self._model.invalidate(instructions=True)
        elif offset in (0x60, 0x74):  # DCISW, DCCISW: by set and way; a sweep over all of them empties the cache
            self._model.invalidate(data=True)
        elif offset not in (0x34, 0x38, 0x3C, 0x58, 0x5C, 0x64, 0x68, 0x6C, 0x70, 0x78, 0x00):
            return False
        return True
