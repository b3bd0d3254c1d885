"""Models NVIC and system control block: which exception is due, priorities, grouping (ARMv7-M ARM B1.5, B3.2, B3.4)."""

from __future__ import annotations

from collections.abc import Callable

from testbeds.virtual.bus import Device
from testbeds.virtual.devices.core import CacheControl, CoreDebug, SysTick

NMI, HARD_FAULT, MEM_MANAGE, BUS_FAULT, USAGE_FAULT, SVCALL, DEBUG, PENDSV, SYSTICK, IRQ0 = (
    2, 3, 4, 5, 6, 11, 12, 14, 15, 16,
)  # fmt: skip
IRQ_LINES = 98
CPUID = 0x411FC271
PRIORITY_MASK = 0xF0  # four bits are implemented
LOWEST = 256

_STORAGE = {  # SCB registers that only keep what is written
    0x008: 0x0, 0xD08: 0x0, 0xD10: 0x0, 0xD14: 0x200, 0xD24: 0, 0xD28: 0, 0xD2C: 0, 0xD30: 0, 0xD34: 0, 0xD38: 0,
    0xD3C: 0, 0xD84: 0, 0xD88: 0, 0xD94: 0, 0xD98: 0, 0xD9C: 0, 0xDA0: 0, 0xF34: 0xC0000000, 0xF38: 0, 0xF3C: 0,
}  # fmt: skip
_CONSTANT = {
    0x004: 0x3, 0xD00: CPUID, 0xD78: 0x09000003, 0xD7C: 0x8303C003, 0xD90: 0x00000800,
    **dict(zip(range(0xD40, 0xD78, 4), (0x30, 0x200, 0x100000, 0, 0x30, 0, 0x1000000, 0, 0x1100110, 0x2112000,
                                        0x20232231, 0x1111131, 0x1310132, 0), strict=True)),
}  # fmt: skip


class SystemControl(Device):
    """Models the 4 KB at 0xE000E000: SysTick, NVIC, SCB, MPU registers and cache maintenance.

    Args:
        lines: the numbers of the interrupt lines that are up now.
        on_change: called when a pending or enable bit may have changed.
        on_reset: called for AIRCR.SYSRESETREQ.
    """

    size = 0x1000
    kept = ("values", "enabled", "pending", "active", "priorities", "mpu_regions", "fpu_warned")

    def __init__(
        self,
        systick: SysTick,
        caches: CacheControl,
        debug: CoreDebug,
        lines: Callable[[], set[int]],
        on_change: Callable[[], None],
        on_reset: Callable[[], None],
    ) -> None:
        super().__init__("SCB", 0xE000E000)
        self._systick, self._caches, self._debug, self._lines = systick, caches, debug, lines
        self._on_change, self._on_reset = on_change, on_reset
        self.reset()

    def reset(self) -> None:
        self.values = dict(_STORAGE)
        self.enabled: set[int] = set()  # exception numbers of enabled interrupts
        self.pending: set[int] = set()
        self.active: list[int] = []
        self.priorities: dict[int, int] = {}
        self.mpu_regions: dict[int, tuple[int, int]] = {}
        self.fpu_warned = False

    # --- what the run loop asks ---
    @property
    def vector_table(self) -> int:
        return self.values[0xD08] & 0xFFFFFF80

    @property
    def fpu_enabled(self) -> bool:
        return self.values[0xD88] >> 20 & 0xF == 0xF

    @property
    def caches_enabled(self) -> bool:
        return self.values[0xD14] & 0x30000 == 0x30000

    @property
    def sleeps_on_exit(self) -> bool:
        return bool(self.values[0xD10] & 2)

    @property
    def uses_interrupts(self) -> bool:
        """Tell whether an interrupt may come without the firmware asking."""
        return bool(self.enabled or self.pending or self._systick.control & 3 == 3)

    def group_priority(self, number: int) -> int:
        """Return the priority that decides preemption."""
        if number == NMI:
            return -2
        if number == HARD_FAULT:
            return -1
        split = (self.values.get(0xD0C, 0) >> 8 & 7) + 1
        return (self.priorities.get(number, 0) & PRIORITY_MASK) >> split << split

    def execution_priority(self, primask: int, basepri: int, faultmask: int) -> int:
        priority = min((self.group_priority(n) for n in self.active), default=LOWEST)
        if basepri & PRIORITY_MASK:
            priority = min(priority, basepri & PRIORITY_MASK)
        if primask & 1:
            priority = min(priority, 0)
        if faultmask & 1:
            priority = min(priority, -1)
        return priority

    def candidate(self) -> int | None:
        """Return the most urgent pending exception, masks aside."""
        for line in self._lines():
            if IRQ0 + line not in self.active:
                self.pending.add(IRQ0 + line)
        ready = [n for n in self.pending if n < IRQ0 or n in self.enabled]
        return min(ready, key=lambda n: (self.group_priority(n), self.priorities.get(n, 0), n), default=None)

    # --- registers ---
    def read(self, offset: int) -> int | None:
        if 0x010 <= offset < 0x020:
            return self._systick.read(offset - 0x010)
        if 0xDF0 <= offset < 0xE00:
            return self._debug.read(offset - 0xDF0)
        if 0x100 <= offset < 0x400:
            return self._read_bits(offset)
        if 0x400 <= offset < 0x500:
            return self._priority_word(IRQ0 + offset - 0x400)
        if 0xD18 <= offset < 0xD24:
            return self._priority_word(4 + offset - 0xD18)
        if offset == 0xD04:
            pending = self.candidate() or 0
            vectactive = self.active[-1] if self.active else 0
            flags = (PENDSV in self.pending) << 28 | (SYSTICK in self.pending) << 26
            return flags | pending << 12 | (len(self.active) <= 1) << 11 | vectactive
        if offset == 0xD0C:
            return 0xFA050000 | self.values.get(0xD0C, 0)
        if offset == 0xD80:  # CCSIDR: data or instruction cache of 4 KB (sets - 1, ways - 1, 32-byte lines)
            ways, sets = (2, 64) if self.values[0xD84] & 1 else (4, 32)
            return 0xF0000001 | (sets - 1) << 13 | (ways - 1) << 3
        if offset in (0xD9C, 0xDA0):
            base, attributes = self.mpu_regions.get(self.values[0xD98] & 0xFF, (0, 0))
            return base if offset == 0xD9C else attributes
        if offset in self.values:
            return self.values[offset]
        return _CONSTANT.get(offset, self._caches.read(offset - 0xF00) if offset >= 0xF00 else None)

    def _read_bits(self, offset: int) -> int | None:
        first = IRQ0 + 8 * (offset & 0x7F)
        which = {0x100: self.enabled, 0x180: self.enabled, 0x200: self.pending, 0x280: self.pending,
                 0x300: set(self.active)}.get(offset & ~0x7F)  # fmt: skip
        if which is None:
            return None
        self.candidate()
        return sum(1 << k for k in range(32) if first + k in which)

    def _priority_word(self, first: int) -> int:
        return sum(self.priorities.get(first + k, 0) << (8 * k) for k in range(4))

    def write(self, offset: int, value: int, mask: int) -> bool:
        known = self._write(offset, value, mask)
        self._on_change()
        return known

    def _write(self, offset: int, value: int, mask: int) -> bool:
        if 0x010 <= offset < 0x020:
            return self._systick.write(offset - 0x010, value, mask)
        if 0xDF0 <= offset < 0xE00:
            return self._debug.write(offset - 0xDF0, value, mask)
        if 0x100 <= offset < 0x300:
            return self._write_bits(offset, value)
        if 0x400 <= offset < 0x500 or 0xD18 <= offset < 0xD24:
            first = IRQ0 + offset - 0x400 if offset < 0x500 else 4 + offset - 0xD18
            for k in range(4):
                if mask >> (8 * k) & 0xFF:
                    self.priorities[first + k] = value >> (8 * k) & PRIORITY_MASK
            return True
        if offset == 0xD04:
            for bit, number, up in ((28, PENDSV, True), (27, PENDSV, False), (26, SYSTICK, True), (25, SYSTICK, False)):
                if value >> bit & 1:
                    (self.pending.add if up else self.pending.discard)(number)
            return True
        if offset == 0xD0C:
            if value >> 16 == 0x05FA:
                self.values[0xD0C] = value & 0x700
                if value & 4:
                    self._on_reset()
            return True
        if offset in (0xD28, 0xD2C):  # fault status: write one to clear
            self.values[offset] &= ~value
            return True
        if offset in (0xD9C, 0xDA0):
            return self._write_mpu(offset, value)
        if offset == 0xF00:
            self.pending.add(IRQ0 + (value & 0x1FF))
            return True
        if offset in self.values:
            self.values[offset] = self.values[offset] & ~mask | value
            return True
        return self._caches.write(offset - 0xF00, value, mask) if offset >= 0xF00 else offset in _CONSTANT

    def _write_bits(self, offset: int, value: int) -> bool:
        first = IRQ0 + 8 * (offset & 0x7F)
        numbers = {first + k for k in range(32) if value >> k & 1 and first + k < IRQ0 + IRQ_LINES}
        kind = offset & ~0x7F
        if kind == 0x100:
            self.enabled |= numbers
        elif kind == 0x180:
            self.enabled -= numbers
        elif kind == 0x200:
            self.pending |= numbers
        else:
            self.pending -= numbers
        return True

    def _write_mpu(self, offset: int, value: int) -> bool:
        number = self.values[0xD98] & 0xFF
        if offset == 0xD9C and value & 0x10:
            number = value & 0xF
            self.values[0xD98] = number
        base, attributes = self.mpu_regions.get(number, (0, 0))
        self.mpu_regions[number] = (value & ~0x1F, attributes) if offset == 0xD9C else (base, value)
        return True
