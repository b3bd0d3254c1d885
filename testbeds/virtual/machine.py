"""Runs the emulated STM32F746 in virtual time: the guest's accesses, interrupts, idle time, faults."""

from __future__ import annotations

import enum
import itertools
from typing import Any

from unicorn import UC_HOOK_INTR, UC_HOOK_MEM_INVALID, Uc, UcError
from unicorn.arm_const import UC_ARM_REG_PC

from testbeds.timebase import MICROSECOND
from testbeds.virtual.chip import Chip
from testbeds.virtual.cycle_model.cycles import NEVER
from testbeds.virtual.devices.nvic import SVCALL, SYSTICK
from testbeds.virtual.devices.timers import CNT
from testbeds.virtual.devices.usart import ISR
from testbeds.virtual.exceptions import ENTRY_CYCLES, RETURN_CYCLES
from testbeds.virtual.faults import INTERRUPTS, ChipMisuse, FaultRecord, GuestFault, describe, registers
from testbeds.virtual.image import Image

RUN_FOREVER = 0xFFFFFFFE  # an address that is never reached
SLICE_CYCLES = 20_000_000  # how often the host is looked at while the guest computes
TIMEOUT_STEP_T = 250 * MICROSECOND  # a loop with a time-out of its own sees the clock at least every 250 us
POLLS_TO_NOTICE = 64  # polls of other registers within which a polling loop comes round to every register
DELAY_STEP_T = MICROSECOND  # a delay loop over a clock is let forward in steps of 1 us


class Stop(enum.Enum):
    """Says why `run` came back."""

    SLICE = "a slice of time is over"
    IDLE = "the guest waits and nothing is due"


class Machine(Chip):
    """Runs the chip in virtual time; arguments as the chip's."""

    def __init__(
        self,
        image: Image,
        *,
        fills: bool = True,
        marker_pins: tuple[tuple[str, int], ...] = (),
        strict_pins: bool = True,
    ) -> None:
        self._error: Exception | None = None
        self._invalid: tuple[int, int] | None = None
        self._interrupt: int | None = None
        self._reset_asked = False
        self._idle = False
        super().__init__(image, fills=fills, marker_pins=marker_pins, strict_pins=strict_pins)
        self.uc.hook_add(UC_HOOK_INTR, self._on_interrupt)
        self.uc.hook_add(UC_HOOK_MEM_INVALID, self._on_invalid)
        self.reset()

    def reset(self) -> None:
        super().reset()
        self._reset_asked = False

    def _system_reset(self) -> None:
        self._reset_asked = True
        self.model.counters.stop = 1

    # --- hooks ---
    def _read(self, _uc: int, offset: int, size: int, base: int | None) -> int:
        address = (base or 0) + offset
        try:
            return self._peripheral_read(address, size)
        except Exception as e:  # crosses C: kept, and raised by run()
            self._fail(e)
            return 0

    def _peripheral_read(self, address: int, size: int) -> int:
        if address in self._status and size == 4:
            value = self.bus.read(address, 4)
            usart = self._isr_of.get(address)
            if usart is not None and self.rcc.clocked(usart):
                self._polled.add(usart)
            if self.idle.status(address, value) and not self.idle.restless() and self._pass_idle_time():
                value = usart.status if usart in self._polled else self.bus.read(address, 4)
            self._refresh()
            return value
        value = self.bus.read(address, size)
        if address in self._clocks:
            if self.idle.clock((address & ~0x3FF) + CNT):
                self.advance_to(self.time.now_t + DELAY_STEP_T)
                value = self.bus.read(address, size)
        else:
            self.idle.progress()
            self._refresh()
        return value

    def _refresh(self) -> None:
        """Let C answer the polled status registers, which stay as they are until the next event."""
        event = self.time.next_t()
        until = NEVER if event is None else self.time.cycles_at(event)
        single = self.time.next_single_t() is not None
        for usart in self._polled:
            self.idle.keep(usart.base + ISR, usart.status, until, single)

    def _write(self, _uc: Uc, offset: int, size: int, value: int, base: int) -> None:
        try:
            self.idle.progress()
            self.bus.write(base + offset, size, value)
            if self.gpio["A"].base <= base + offset < self.rcc.base + self.rcc.size:
                self._wired.clear()
                if (base + offset) & ~0x3FF == self.rcc.base:
                    self._polled.clear()
                    self.idle.invalidate()
            self._refresh()
        except Exception as e:  # crosses C: kept, and raised by run()
            self._fail(e)

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self.model.counters.stop = 1
        self.uc.emu_stop()  # stops in the middle of the block: nothing runs on from here

    def _on_interrupt(self, uc: Uc, number: int, _data: Any) -> None:
        self._interrupt = number
        uc.emu_stop()

    def _on_invalid(self, _uc: Uc, access: int, address: int, _size: int, _value: int, _data: Any) -> bool:
        self._invalid = (access, address)
        return False

    # --- interrupts ---
    def _irq_changed(self) -> None:
        if self.scb.uses_interrupts:
            self.model.counters.stop = 1

    def _systick_due(self) -> int | None:
        """Return the cycle of the next SysTick exception."""
        return self.systick.next_wrap(self._ticked) if self.systick.control & 3 == 3 else None

    def _take_exceptions(self) -> bool:
        """Enter what is due. Returns whether something is pending but held back by a mask or priority."""
        self.time.run_due()
        if self.systick.control & 3 == 3:
            now = self.model.now
            if self.systick.wraps(now) > self.systick.wraps(max(self._ticked, self.systick.start_cycles)):
                self.scb.pending.add(SYSTICK)
            self._ticked = now
        while (number := self.exceptions.due()) is not None:
            self.exceptions.enter(number, self.uc.reg_read(UC_ARM_REG_PC))
            self.model.flush_pipe()
            self.model.counters.cycles += ENTRY_CYCLES
            self.idle.progress()
        return self.scb.candidate() is not None

    # --- time ---
    def next_event_t(self) -> int | None:
        """Return when the next thing happens by itself: a byte, a module's answer, a timer's or SysTick's interrupt."""
        tick = self._systick_due()
        times = [t for t in (self.time.next_t(), None if tick is None else self.time.t_at(tick)) if t is not None]
        return min(times, default=None)

    def _pass_idle_time(self) -> bool:
        """Jump to the next event while the guest only waits. Returns False, and asks to stop, when nothing is due."""
        single = self.time.next_single_t()
        if single is None:
            self.model.counters.stop = 1
            self._idle = True
            return False
        target = min(single, self.next_event_t() or single)
        cycles = self.model.now
        limit = self.time.t_at(cycles) + TIMEOUT_STEP_T
        if target > limit:
            watches_clock = self.idle.reads_clock or self.idle.quiet_reads < POLLS_TO_NOTICE
            if watches_clock and all(t.alarm_t() is None for t in self.timers.values()):
                target = limit
        ahead = self.time.cycles_at(target) - cycles
        if ahead > 0:
            self.model.skip(ahead)
        self.time.run_due(self.time.t_at(cycles + max(0, ahead)))
        return True

    def step_idle(self, t: int) -> None:
        """Let an idle guest's clock go on by `t`, or to the next event if that is sooner."""
        target = self.time.now_t + t
        event = self.next_event_t()
        self.advance_to(target if event is None else min(target, event))

    # --- running ---
    def run(self) -> Stop:
        """Run until the guest idles with nothing due or a slice is over.

        Raises:
            GuestFault: the firmware did what the chip answers with a fault, or would not survive.
        """
        counters = self.model.counters
        end = counters.cycles + SLICE_CYCLES
        self._idle = False
        self._refresh()
        while True:
            if self._reset_asked:
                self.reset()
                end = counters.cycles + SLICE_CYCLES
            held_back = self._take_exceptions() if self.scb.uses_interrupts else False
            counters.stop = 0
            counters.deadline = self._deadline(end, held_back)
            self._emulate()
            if self._idle:
                return Stop.IDLE
            if counters.cycles >= end:
                return Stop.SLICE

    def _deadline(self, end: int, held_back: bool) -> int:
        if not self.scb.uses_interrupts:
            return end
        if held_back:
            return int(self.model.counters.cycles) + 1  # look again after every block
        event = self.time.next_t()
        due = [end, NEVER if event is None else self.time.cycles_at(event), self._systick_due() or NEVER]
        return max(min(due), int(self.model.counters.cycles) + 1)

    def _emulate(self) -> None:
        counters = self.model.counters
        self._interrupt = self._invalid = None
        pc = self.uc.reg_read(UC_ARM_REG_PC)
        try:
            self.uc.emu_start(pc | 1, RUN_FOREVER)
        except UcError as e:
            if self._error is None:
                self._error = ChipMisuse(describe(self.uc, e, self._invalid, int(self.model.counters.pc)))
        if self.model.failure is not None:
            self._error, self.model.failure = self.model.failure, None
        if address := counters.unaligned:
            counters.unaligned = 0
            raise self._fault(f"unaligned access at 0x{address:08x} by an instruction that moves whole words")
        if self._error is not None:
            error, self._error = self._error, None
            if isinstance(error, ChipMisuse):
                raise self._fault(str(error)) from error
            raise error
        if self._interrupt is not None:
            self._handle_interrupt(self._interrupt)
        elif not counters.stop and counters.cycles < counters.deadline:
            self._wait_for_interrupt()

    def _handle_interrupt(self, number: int) -> None:
        self.model.counters.in_block = 0
        if number == 2:
            self.scb.pending.add(SVCALL)
            if self.exceptions.due() != SVCALL:
                raise self._fault("SVC where its priority does not allow it (a hard fault on the chip)")
            self.exceptions.enter(SVCALL, self.uc.reg_read(UC_ARM_REG_PC))
            self.model.counters.cycles += ENTRY_CYCLES
        elif number == 8:
            self.exceptions.leave(self.uc.reg_read(UC_ARM_REG_PC) | 1)
            self.model.counters.cycles += RETURN_CYCLES
        else:
            raise self._fault(INTERRUPTS.get(number, f"processor exception {number}"))
        self.model.flush_pipe()
        self.idle.progress()

    def _wait_for_interrupt(self) -> None:
        """Sleep, as WFI does, to the next event that wakes the core."""
        self.model.counters.in_block = 0
        for _ in itertools.repeat(None, 1000):
            self.time.run_due()
            tick = self._systick_due()
            if tick is not None and tick <= self.model.now:
                return
            if self.exceptions.wakes():
                return
            if self.time.next_single_t() is None:
                self._idle = True
                return
            self.advance_to(self.next_event_t() or 0)

    def _fault(self, what: str) -> GuestFault:
        pc = int(self.model.counters.pc)
        return GuestFault(FaultRecord(what, pc, self.image.function_at(pc), registers(self.uc)))
