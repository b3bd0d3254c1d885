"""Wires what is on the chip: core, memories, clocks, peripherals and pins, with reset and snapshot of it all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
from unicorn.arm_const import (
    UC_ARM_REG_LR,
    UC_ARM_REG_MSP,
    UC_ARM_REG_PC,
    UC_ARM_REG_SP,
    UC_CPU_ARM_CORTEX_M7,
)

from testbeds.timebase import MICROSECOND, MILLISECOND
from testbeds.virtual.bus import Bus, Device
from testbeds.virtual.cycle_model.cycles import CycleModel
from testbeds.virtual.devices.core import CacheControl, CoreDebug, Dwt, SysTick
from testbeds.virtual.devices.gpio import Gpio, Syscfg
from testbeds.virtual.devices.nvic import SystemControl
from testbeds.virtual.devices.rcc import HSI_HZ, Flash, Pwr, Rcc
from testbeds.virtual.devices.timers import CNT, SR, Timer
from testbeds.virtual.devices.usart import ISR, Usart
from testbeds.virtual.exceptions import Exceptions
from testbeds.virtual.faults import ChipMisuse
from testbeds.virtual.image import Image
from testbeds.virtual.memory import FLASH, FLASH_ALIAS, PERIPHERALS, Memory
from testbeds.virtual.vtime import VirtualTime

USARTS = ((1, 0x40011000, (0x44, 4)), (2, 0x40004400, (0x40, 17)), (3, 0x40004800, (0x40, 18)),
          (4, 0x40004C00, (0x40, 19)), (5, 0x40005000, (0x40, 20)), (6, 0x40011400, (0x44, 5)))  # fmt: skip
USART_IRQS = {1: 37, 2: 38, 3: 39, 4: 52, 5: 53, 6: 71}
TIMERS = ((2, 0x40000000, 32), (3, 0x40000400, 16), (4, 0x40000800, 16), (5, 0x40000C00, 32))
TIMER_IRQS = {2: 28, 3: 29, 4: 30, 5: 50}
# Pins that carry a USART's signals (data sheet DS10916 table 12): (port, pin, alternate function).
TX_PINS = {1: (("A", 9, 7), ("B", 6, 7)), 6: (("C", 6, 8), ("G", 14, 8))}
RX_PINS = {1: (("A", 10, 7), ("B", 7, 7)), 6: (("C", 7, 8), ("G", 9, 8))}


class Chip(ABC):
    """Models an STM32F746 with `image` in its flash, at reset. Its runner (testbeds.virtual.machine) answers accesses.

    Args:
        fills: whether to simulate the line fills of the two caches (the default for every reported time).
        marker_pins: three (port, pin), least significant first, whose Gray code tells the stage.
        strict_pins: whether a USART hears and says nothing while its pins are not set to it.
    """

    def __init__(
        self, image: Image, *, fills: bool, marker_pins: tuple[tuple[str, int], ...], strict_pins: bool
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
        self.on_output: Callable[[str, int], None] = lambda _port, _levels: None  # is called for every port
        self._marker_pins = marker_pins
        self.marker = 0
        self._strict_pins = strict_pins
        self._ticked = 0  # cycle up to which SysTick's wraps have been looked at
        self._build()
        self._cpu_at_reset = self.uc.context_save()
        for address, data in image.segments:
            self.memory.load_flash(address, data)

    def close(self) -> None:
        """Free the C side."""
        self.model.close()

    # --- who runs it ---
    @abstractmethod
    def _read(self, _uc: int, offset: int, size: int, base: int | None) -> int:
        """Answer the guest's read of a peripheral register for which C has no answer."""

    @abstractmethod
    def _write(self, _uc: Uc, offset: int, size: int, value: int, base: int) -> None:
        """Take the guest's write of a peripheral register."""

    @abstractmethod
    def _irq_changed(self) -> None:
        """Note that an interrupt line, a pending or an enable bit may have changed."""

    @abstractmethod
    def _system_reset(self) -> None:
        """Take the guest's request for a reset of itself."""

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
        """Reset as the reset pin does it: every peripheral, the core, time from zero; RAM keeps its bytes."""
        self.uc.context_restore(self._cpu_at_reset)
        self.model.reset()
        self.time.restore((HSI_HZ, 0, 0, [], 0))
        for device in self._devices:
            device.reset()
        self._polled.clear()
        self._wired.clear()
        self.marker = 0
        self._ticked = 0
        sp, pc = (int.from_bytes(self.uc.mem_read(FLASH + 4 * k, 4), "little") for k in range(2))
        self.scb.values[0xD08] = FLASH_ALIAS  # option byte BOOT_ADD0 as delivered
        self.uc.reg_write(UC_ARM_REG_MSP, sp)
        self.uc.reg_write(UC_ARM_REG_SP, sp)
        self.uc.reg_write(UC_ARM_REG_LR, 0xFFFFFFFF)
        self.uc.reg_write(UC_ARM_REG_PC, pc | 1)

    def _reset_device(self, clock_bit: tuple[int, int]) -> None:
        for device in self._devices:
            if device.clock_bit == clock_bit:
                device.reset()

    def _gpio_changed(self, port: str, odr: int) -> None:
        self.on_output(port, odr)
        code = 0
        for k, (letter, pin) in enumerate(self._marker_pins):
            device = self.gpio[letter]
            code |= (device.read(0x14) or 0) >> pin << k & 1 << k
        if code != self.marker:
            self.marker = code
            self.on_marker(self.time.now_t, code)

    def _lines(self) -> set[int]:
        up = {USART_IRQS[n] for n, usart in self.usarts.items() if usart.irq}
        return up | {TIMER_IRQS[n] for n, timer in self.timers.items() if timer.irq}

    def advance_to(self, t: int) -> None:
        """Let time pass without the guest, up to `t`, and run what is due by then."""
        cycles = self.time.cycles_at(t) - self.model.now
        if cycles > 0:
            self.model.skip(cycles)
        self.time.run_due()

    # --- snapshot ---
    def settle(self) -> None:
        """Bring about a state in which what came before hardly shows: predictor, caches and pipe are empty, and a whole
        millisecond begins. So samples are the same after two associations that differed by a cycle here or a byte
        there.
        """
        self.model.forget()
        self.idle.progress()
        next_ms = -(-self.time.now_t // MILLISECOND) * MILLISECOND
        self.advance_to(next_ms)
        self.time.settle(next_ms + MICROSECOND)  # behind the cycle that the millisecond fell into

    def snapshot(self) -> dict[str, Any]:
        """Return all that the guest's future depends on. Take it while the guest stands at a block boundary."""
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
        """Go back to the latest snapshot (the cycle model keeps one)."""
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
