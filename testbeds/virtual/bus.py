"""Models the peripheral bus: who answers at which address, dead without a clock, and a list of what nobody models."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

WORD = 0xFFFFFFFF


class Device(ABC):
    """Models one peripheral. Registers are 32-bit words; narrower accesses are shifted into place by the bus.

    Its state is every attribute named in `kept`, which snapshot copies and restore puts back.
    """

    name: str
    base: int
    size: int = 0x400
    clock_bit: tuple[int, int] | None = None  # (RCC enable register offset, bit); None: always clocked
    kept: tuple[str, ...] = ()

    def __init__(self, name: str, base: int) -> None:
        self.name, self.base = name, base

    @abstractmethod
    def reset(self) -> None:
        """Set the registers to their reset values."""

    @abstractmethod
    def read(self, offset: int) -> int | None:
        """Return the register at `offset` (a multiple of 4), or None when it is not modelled."""

    @abstractmethod
    def write(self, offset: int, value: int, mask: int) -> bool:
        """Write the bits of `mask`. Returns False when the register is not modelled."""

    def state(self) -> dict[str, Any]:
        return {name: copy.copy(getattr(self, name)) for name in self.kept}

    def restore(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, copy.copy(value))


class Registers(Device):
    """Models a device that is only storage: the registers named in `resets` keep what is written."""

    kept: tuple[str, ...] = ("values",)
    resets: Mapping[int, int] = MappingProxyType({})

    def __init__(self, name: str, base: int) -> None:
        super().__init__(name, base)
        self.values: dict[int, int] = dict(self.resets)

    def reset(self) -> None:
        self.values = dict(self.resets)

    def read(self, offset: int) -> int | None:
        return self.values.get(offset)

    def write(self, offset: int, value: int, mask: int) -> bool:
        if offset not in self.values:
            return False
        self.store(offset, value, mask)
        return True

    def store(self, offset: int, value: int, mask: int = WORD) -> int:
        """Keep the masked bits and return the whole register."""
        self.values[offset] = (self.values[offset] & ~mask) | (value & mask)
        return self.values[offset]


class Bus:
    """Dispatches the guest's peripheral accesses.

    Args:
        clocked: tells whether a device's RCC clock is on.
        pc: address of the instruction that accesses.
    """

    def __init__(self, clocked: Callable[[Device], bool], pc: Callable[[], int]) -> None:
        self._clocked, self._pc = clocked, pc
        self._pages: dict[int, Device] = {}
        self.devices: list[Device] = []
        self.unmodelled: dict[tuple[str, int, str], tuple[int, int]] = {}  # (what, address, read|write) -> (pc, times)

    def add(self, devices: Iterable[Device]) -> None:
        for device in devices:
            self.devices.append(device)
            for page in range(device.base, device.base + device.size, 0x400):
                self._pages[page] = device

    def find(self, name: str) -> Device:
        return next(d for d in self.devices if d.name == name)

    def _note(self, what: str, address: int, direction: str) -> None:
        pc, times = self.unmodelled.get((what, address, direction), (self._pc(), 0))
        self.unmodelled[what, address, direction] = (pc, times + 1)

    def read(self, address: int, size: int) -> int:
        device = self._pages.get(address & ~0x3FF)
        if device is None:
            self._note("no such peripheral here", address, "read")
            return 0
        if device.clock_bit is not None and not self._clocked(device):
            self._note(f"{device.name} without its RCC clock", address, "read")
            return 0
        value = device.read((address - device.base) & ~3)
        if value is None:
            self._note(device.name, address, "read")
            return 0
        return (value >> (8 * (address & 3))) & ((1 << (8 * size)) - 1)

    def write(self, address: int, size: int, value: int) -> None:
        device = self._pages.get(address & ~0x3FF)
        if device is None:
            self._note("no such peripheral here", address, "write")
            return
        if device.clock_bit is not None and not self._clocked(device):
            self._note(f"{device.name} without its RCC clock", address, "write")
            return
        shift = 8 * (address & 3)
        mask = ((1 << (8 * size)) - 1) << shift
        if not device.write((address - device.base) & ~3, (value << shift) & mask, mask):
            self._note(device.name, address, "write")

    def report(self) -> list[str]:
        """Return a line for every register touched that is not modelled or was dead, with who touched it first."""
        return [
            f"{direction} of 0x{address:08x} ({what}), first by pc 0x{pc:08x}, {times} times"
            for (what, address, direction), (pc, times) in sorted(self.unmodelled.items(), key=lambda i: i[0][1])
        ]
