"""The emulated STM32F746: Unicorn, the cycle model, the peripherals, and the loop that runs them in virtual time."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

from unicorn import (
    UC_ARCH_ARM,
    UC_HOOK_INTR,
    UC_HOOK_MEM_INVALID,
    UC_MEM_FETCH_PROT,
    UC_MEM_FETCH_UNMAPPED,
    UC_MEM_READ_PROT,
    UC_MEM_READ_UNMAPPED,
    UC_MEM_WRITE_PROT,
    UC_MEM_WRITE_UNMAPPED,
    UC_MODE_MCLASS,
    UC_MODE_THUMB,
    Uc,
    UcError,
)
from unicorn.arm_const import (
    UC_ARM_REG_CONTROL,
    UC_ARM_REG_IPSR,
    UC_ARM_REG_LR,
    UC_ARM_REG_MSP,
    UC_ARM_REG_PC,
    UC_ARM_REG_R0,
    UC_ARM_REG_SP,
    UC_ARM_REG_XPSR,
    UC_CPU_ARM_CORTEX_M7,
)

from testbeds.timebase import MICROSECOND, MILLISECOND, SECOND
from testbeds.virtual.bus import Bus, Device
from testbeds.virtual.core.cycles import NEVER, CycleModel
from testbeds.virtual.devices.core import CacheControl, CoreDebug, Dwt, SysTick
from testbeds.virtual.devices.gpio import Gpio, Syscfg
from testbeds.virtual.devices.nvic import SVCALL, SYSTICK, SystemControl
from testbeds.virtual.devices.rcc import HSI_HZ, Flash, Pwr, Rcc
from testbeds.virtual.devices.timers import CNT, SR, Timer
from testbeds.virtual.devices.usart import ISR, Usart
from testbeds.virtual.exceptions import ENTRY_CYCLES, RETURN_CYCLES, Exceptions
from testbeds.virtual.faults import ChipMisuse, FaultRecord, GuestFault
from testbeds.virtual.image import Image
from testbeds.virtual.memory import FLASH, FLASH_ALIAS, FLASH_BYTES, PERIPHERALS, Memory
from testbeds.virtual.vtime import VirtualTime

RUN_FOREVER = 0xFFFFFFFE  # an address that is never reached
SLICE_CYCLES = 20_000_000  # look at the host this often while the guest computes
TIMEOUT_STEP_T = 250 * MICROSECOND  # a loop with a time-out of its own sees the clock at least every 250 us
POLLS_TO_NOTICE = 64  # polls of other registers within which a polling loop comes round to every register
DELAY_STEP_T = MICROSECOND  # a delay loop over a clock is let forward in steps of 1 us
USARTS = ((1, 0x40011000, (0x44, 4)), (2, 0x40004400, (0x40, 17)), (3, 0x40004800, (0x40, 18)),
          (4, 0x40004C00, (0x40, 19)), (5, 0x40005000, (0x40, 20)), (6, 0x40011400, (0x44, 5)))  # fmt: skip
USART_IRQS = {1: 37, 2: 38, 3: 39, 4: 52, 5: 53, 6: 71}
TIMERS = ((2, 0x40000000, 32), (3, 0x40000400, 16), (4, 0x40000800, 16), (5, 0x40000C00, 32))
TIMER_IRQS = {2: 28, 3: 29, 4: 30, 5: 50}
# Pins that carry a USART's signals (data sheet DS10916 table 12): (port, pin, alternate function).
TX_PINS = {1: (("A", 9, 7), ("B", 6, 7)), 6: (("C", 6, 8), ("G", 14, 8))}
RX_PINS = {1: (("A", 10, 7), ("B", 7, 7)), 6: (("C", 7, 8), ("G", 9, 8))}
_NAMES = [*(f"r{k}" for k in range(13)), "sp", "lr", "pc"]
_REGISTERS = [*range(UC_ARM_REG_R0, UC_ARM_REG_R0 + 13), UC_ARM_REG_SP, UC_ARM_REG_LR, UC_ARM_REG_PC]
_INTERRUPTS = {1: "undefined instruction", 3: "instruction fetch fault", 4: "data fault", 7: "breakpoint",
               17: "FPU instruction while the FPU is off", 18: "invalid processor state"}  # fmt: skip
_ACCESS = {
    UC_MEM_READ_UNMAPPED: "read",
    UC_MEM_WRITE_UNMAPPED: "write",
    UC_MEM_FETCH_UNMAPPED: "fetch",
    UC_MEM_READ_PROT: "read",
    UC_MEM_WRITE_PROT: "write",
    UC_MEM_FETCH_PROT: "fetch",
}


class Stop(enum.Enum):
    """Why `run` came back."""

    SLICE = "a slice of time is over"
    IDLE = "the guest waits and nothing is due"


class Machine:
    """One STM32F746 with `image` in its flash, at reset.

    Args:
        fills: simulate the line fills of the two caches (the default for every reported time).
        marker_pins: three (port, pin), least significant first, whose Gray code tells the stage.
    """

    def __init__(
        self,
        image: Image,
        *,
        fills: bool = True,
        marker_pins: tuple[tuple[str, int], ...] = (),
        strict_pins: bool = True,
    ) -> None:
        self.image = image
        self.uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M7)
        self.memory = Memory(self.uc)
        self.model = CycleModel(self.uc, fills=fills)
        self.model.on_decode = self._check_fpu
        self.time = VirtualTime(lambda: self.model.now, HSI_HZ)
        self.idle = self.model.idle
        self._wired: dict[tuple[tuple[str, int, int], ...], bool] = {}  # kept until a GPIO or RCC register changes
        self._polled: set[Usart] = set()  # whose status registers C answers for
        self.on_marker: Callable[[int, int], None] = lambda _t, _code: None
        self._marker_pins = marker_pins
        self.marker = 0
        self._strict_pins = strict_pins
        self._error: Exception | None = None
        self._invalid: tuple[int, int] | None = None
        self._interrupt: int | None = None
        self._reset_asked = False
        self._build()
        self._cpu_at_reset = self.uc.context_save()
        for address, data in image.segments:
            self.memory.load_flash(address, data)
        self.reset()

    def close(self) -> None:
        """Free the C side."""
        self.model.close()

    # --- building ---
    def _build(self) -> None:
        self.pwr, self.flash = Pwr("PWR", 0x40007000), Flash("FLASH", 0x40023C00)
        self.rcc = Rcc("RCC", 0x40023800, self.pwr, self.flash, self.time.set_hz, self._reset_device)
        self.bus = Bus(self.rcc.clocked, lambda: int(self.model.counters.pc))
        self.gpio = {c: Gpio(c, 0x40020000 + 0x400 * k, self._gpio_changed) for k, c in enumerate("ABCDEFGHIJK")}
        self.usarts = {n: self._usart(n, base, bit) for n, base, bit in USARTS}
        self.timers = {
            n: Timer(n, base, bits, self.time, lambda: self.rcc.timer_clock(1), self._irq_changed)
            for n, base, bits in TIMERS
        }
        for timer in self.timers.values():
            timer.on_alarm = partial(self.idle.news, timer.base + CNT)
        self.debug = CoreDebug("CoreDebug", 0xE000EDF0)
        self.dwt = Dwt(0xE0001000, self.model, self.debug)
        self.systick = SysTick(0xE000E010, self.model, self._irq_changed)
        self.scb = SystemControl(
            self.systick, CacheControl(self.model), self.debug, self._lines, self._irq_changed, self._system_reset
        )
        self.exceptions = Exceptions(self.uc, self.scb)
        syscfg = Syscfg("SYSCFG", 0x40013800)
        self._devices: list[Device] = [
            self.pwr, self.flash, self.rcc, syscfg, *self.gpio.values(), *self.usarts.values(), *self.timers.values(),
            self.dwt, self.scb,
        ]  # fmt: skip
        self.bus.add(self._devices)
        self._devices += [self.debug, self.systick]
        self.model.set_slow_read(self._read)
        for base, size in PERIPHERALS:
            self.model.map_peripherals(base, size, self._write)
        self.uc.hook_add(UC_HOOK_INTR, self._on_interrupt)
        self.uc.hook_add(UC_HOOK_MEM_INVALID, self._on_invalid)
        self._status = {u.base + ISR for u in self.usarts.values()} | {g.base + 0x10 for g in self.gpio.values()}
        self._clocks = {0xE0001004, 0xE000E010, 0xE000E018}
        self._clocks |= {t.base + register for t in self.timers.values() for register in (CNT, SR)}
        self._isr_of = {u.base + ISR: u for u in self.usarts.values()}

    def _usart(self, number: int, base: int, bit: tuple[int, int]) -> Usart:
        usart = Usart(number, base, bit, self.time, lambda: self.rcc.usart_clock(number), self._irq_changed)
        usart.on_received = partial(self.idle.news, base + ISR)
        usart.tx_wired = partial(self._pins_set, TX_PINS.get(number, ()))
        usart.rx_wired = partial(self._pins_set, RX_PINS.get(number, ()))
        return usart

    def _pins_set(self, pins: tuple[tuple[str, int, int], ...]) -> bool:
        if not pins or not self._strict_pins:
            return True
        if pins not in self._wired:
            self._wired[pins] = any(self.gpio[port].alternate(pin) == function for port, pin, function in pins)
        return self._wired[pins]

    def _check_fpu(self, kinds: set[str], address: int) -> None:
        if "VFP" in kinds and not self.scb.fpu_enabled:
            raise ChipMisuse(f"FPU instruction in the block at 0x{address:08x} while CPACR keeps the FPU off")

    # --- reset ---
    def reset(self) -> None:
        """As the reset pin does it: every peripheral, the core, time from zero; RAM keeps its bytes."""
        self.uc.context_restore(self._cpu_at_reset)
        self.model.reset()
        self.time.restore((HSI_HZ, 0, 0, [], 0))
        for device in self._devices:
            device.reset()
        self._polled.clear()
        self._wired.clear()
        self.marker = 0
        self._reset_asked = False
        sp, pc = (int.from_bytes(self.uc.mem_read(FLASH + 4 * k, 4), "little") for k in range(2))
        self.scb.values[0xD08] = FLASH_ALIAS  # option byte BOOT_ADD0 as delivered
        self.uc.reg_write(UC_ARM_REG_MSP, sp)
        self.uc.reg_write(UC_ARM_REG_SP, sp)
        self.uc.reg_write(UC_ARM_REG_LR, 0xFFFFFFFF)
        self.uc.reg_write(UC_ARM_REG_PC, pc | 1)

    def _system_reset(self) -> None:
        self._reset_asked = True
        self.model.counters.stop = 1

    def _reset_device(self, clock_bit: tuple[int, int]) -> None:
        for device in self._devices:
            if device.clock_bit == clock_bit:
                device.reset()

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
                self._advance_to(self.time.now_t + DELAY_STEP_T)
                value = self.bus.read(address, size)
        else:
            self.idle.progress()
            self._refresh()
        return value

    def _refresh(self) -> None:
        """The polled status registers stay as they are until the next event: let C answer."""
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
        self.uc.emu_stop()  # in the middle of the block: nothing will run on from here

    def _on_interrupt(self, uc: Uc, number: int, _data: Any) -> None:
        self._interrupt = number
        uc.emu_stop()

    def _on_invalid(self, _uc: Uc, access: int, address: int, _size: int, _value: int, _data: Any) -> bool:
        self._invalid = (access, address)
        return False

    def _gpio_changed(self, _port: str, _odr: int) -> None:
        code = 0
        for k, (port, pin) in enumerate(self._marker_pins):
            device = self.gpio[port]
            code |= (device.read(0x14) or 0) >> pin << k & 1 << k
        if code != self.marker:
            self.marker = code
            self.on_marker(self.time.now_t, code)

    # --- interrupts ---
    def _lines(self) -> set[int]:
        up = {USART_IRQS[n] for n, usart in self.usarts.items() if usart.irq}
        return up | {TIMER_IRQS[n] for n, timer in self.timers.items() if timer.irq}

    def _irq_changed(self) -> None:
        if self.scb.uses_interrupts:
            self.model.counters.stop = 1

    def _systick_due(self) -> int | None:
        """Cycle of the next SysTick exception."""
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

    _ticked = 0

    # --- time ---
    def _advance_to(self, t: int) -> None:
        cycles = self.time.cycles_at(t) - self.model.now
        if cycles > 0:
            self.model.skip(cycles)
        self.time.run_due()

    def next_event_t(self) -> int | None:
        """When the next thing happens by itself: a byte, a module's answer, a timer's or SysTick's interrupt."""
        tick = self._systick_due()
        times = [t for t in (self.time.next_t(), None if tick is None else self.time.t_at(tick)) if t is not None]
        return min(times, default=None)

    def _pass_idle_time(self) -> bool:
        """The guest only waits: jump to the next event. Returns False, and asks to stop, when nothing is due."""
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

    _idle = False

    def step_idle(self, t: int) -> None:
        """Let an idle guest's clock go on by `t`, or to the next event if that is sooner."""
        target = self.time.now_t + t
        event = self.next_event_t()
        self._advance_to(target if event is None else min(target, event))

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
                self._error = ChipMisuse(self._describe(e))
        if self.model.failure is not None:
            self._error, self.model.failure = self.model.failure, None
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
            raise self._fault(_INTERRUPTS.get(number, f"processor exception {number}"))
        self.model.flush_pipe()
        self.idle.progress()

    def _wait_for_interrupt(self) -> None:
        """WFI: sleep to the next event that wakes the core."""
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
            self._advance_to(self.next_event_t() or 0)

    # --- faults ---
    def _describe(self, error: UcError) -> str:
        if self._invalid is None:
            if error.errno == 10:
                code = bytes(self.uc.mem_read(self.model.counters.pc, 4)).hex()
                return f"undefined instruction {code}"
            return str(error)
        access, address = self._invalid
        what = _ACCESS.get(access, "access")
        flash = FLASH <= address < FLASH + FLASH_BYTES or FLASH_ALIAS <= address < FLASH_ALIAS + FLASH_BYTES
        where = "flash, which is not writable" if flash and what == "write" else "no memory there"
        return f"{what} at 0x{address:08x} ({where})"

    def _fault(self, what: str) -> GuestFault:
        pc = int(self.model.counters.pc)
        registers = {name: self.uc.reg_read(r) & 0xFFFFFFFF for name, r in zip(_NAMES, _REGISTERS, strict=True)}
        registers["xpsr"] = self.uc.reg_read(UC_ARM_REG_XPSR)
        registers["ipsr"] = self.uc.reg_read(UC_ARM_REG_IPSR)
        registers["control"] = self.uc.reg_read(UC_ARM_REG_CONTROL)
        return GuestFault(FaultRecord(what, pc, self.image.function_at(pc), registers))

    # --- snapshot ---
    def settle(self) -> None:
        """A state that what came before hardly shows in: predictor, caches and pipe are empty, and a whole millisecond
        begins. So samples are the same after two associations that differed by a cycle here or a byte there."""
        self.model.forget()
        self.idle.progress()
        next_ms = -(-self.time.now_t // MILLISECOND) * MILLISECOND
        self._advance_to(next_ms)
        self.time.settle(next_ms + MICROSECOND)  # behind the cycle that the millisecond fell into

    def snapshot(self) -> dict[str, Any]:
        """Everything that the guest's future depends on. Take it while the guest stands at a block boundary."""
        self.model.snapshot()
        return {
            "cpu": self.uc.context_save(),
            "memory": self.memory.state(),
            "time": self.time.state(),
            "devices": [(device, device.state()) for device in self._devices],
            "marker": self.marker,
            "ticked": self._ticked,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Back to the latest snapshot (the cycle model keeps one)."""
        self.uc.context_restore(state["cpu"])
        self.memory.restore(state["memory"])
        self.model.restore()
        self._polled.clear()
        self._wired.clear()
        self.idle.invalidate()
        self.time.restore(state["time"])
        for device, kept in state["devices"]:
            device.restore(kept)
        self.marker, self._ticked = state["marker"], state["ticked"]


def seconds(t: int) -> float:
    """Picoseconds as seconds."""
    return t / SECOND
