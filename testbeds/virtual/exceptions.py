"""Enters and leaves exceptions by hand, as Unicorn has no NVIC (ARMv7-M ARM B1.5.6-B1.5.8, with FP frames)."""

from __future__ import annotations

import struct

from unicorn import Uc
from unicorn.arm_const import (
    UC_ARM_REG_BASEPRI,
    UC_ARM_REG_CONTROL,
    UC_ARM_REG_FAULTMASK,
    UC_ARM_REG_FPSCR,
    UC_ARM_REG_IPSR,
    UC_ARM_REG_LR,
    UC_ARM_REG_MSP,
    UC_ARM_REG_PC,
    UC_ARM_REG_PRIMASK,
    UC_ARM_REG_PSP,
    UC_ARM_REG_R0,
    UC_ARM_REG_R1,
    UC_ARM_REG_R2,
    UC_ARM_REG_R3,
    UC_ARM_REG_R12,
    UC_ARM_REG_S0,
    UC_ARM_REG_SP,
    UC_ARM_REG_XPSR,
)

from testbeds.virtual.devices.nvic import HARD_FAULT, NMI, SystemControl

ENTRY_CYCLES, RETURN_CYCLES = 12, 12  # Cortex-M7 TRM: 12 cycles to the handler with no wait states
BASIC_BYTES, EXTENDED_BYTES = 32, 104
EXC_RETURN = 0xFFFFFFE1
FPCA, SPSEL = 4, 2
_SAVED = (UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_ARM_REG_R12, UC_ARM_REG_LR)


class Exceptions:
    """Moves the core in and out of exception handlers. Lazy FP stacking is done at once: same frame, same result."""

    def __init__(self, uc: Uc, scb: SystemControl) -> None:
        self._uc, self._scb = uc, scb

    def due(self) -> int | None:
        """Return the exception that preempts what runs now, if any."""
        number = self._scb.candidate()
        if number is None:
            return None
        masks = [self._uc.reg_read(r) for r in (UC_ARM_REG_PRIMASK, UC_ARM_REG_BASEPRI, UC_ARM_REG_FAULTMASK)]
        running = self._scb.execution_priority(*masks)
        return number if self._scb.group_priority(number) < running else None

    def wakes(self) -> bool:
        """Tell whether WFI would end now. Pending exceptions wake the core even when PRIMASK holds them back."""
        number = self._scb.candidate()
        if number is None:
            return False
        basepri = self._uc.reg_read(UC_ARM_REG_BASEPRI)
        return self._scb.group_priority(number) < self._scb.execution_priority(0, basepri, 0)

    def enter(self, number: int, return_address: int) -> None:
        """Push the frame and take the vector. The core continues at its PC register."""
        uc, scb = self._uc, self._scb
        control = uc.reg_read(UC_ARM_REG_CONTROL)
        thread = not scb.active
        on_psp = thread and bool(control & SPSEL)
        floating = bool(control & FPCA)
        sp = uc.reg_read(UC_ARM_REG_PSP if on_psp else UC_ARM_REG_SP if thread else UC_ARM_REG_MSP)
        size = EXTENDED_BYTES if floating else BASIC_BYTES
        frame = (sp - size) & ~7
        padded = (sp - size) & 4
        xpsr = uc.reg_read(UC_ARM_REG_XPSR) & ~0x200 | (padded << 7) | 1 << 24
        words = [uc.reg_read(r) for r in _SAVED] + [return_address & ~1, xpsr]
        if floating:
            words += [uc.reg_read(UC_ARM_REG_S0 + k) for k in range(16)] + [uc.reg_read(UC_ARM_REG_FPSCR), 0]
        uc.mem_write(frame, struct.pack(f"<{len(words)}I", *(w & 0xFFFFFFFF for w in words)))
        exc_return = EXC_RETURN | (0 if floating else 0x10) | (8 if thread else 0) | (4 if on_psp else 0)
        vector = struct.unpack("<I", uc.mem_read(scb.vector_table + 4 * number, 4))[0]
        scb.pending.discard(number)
        scb.active.append(number)
        uc.reg_write(UC_ARM_REG_PSP if on_psp else UC_ARM_REG_MSP, frame)
        uc.reg_write(UC_ARM_REG_IPSR, number)
        uc.reg_write(UC_ARM_REG_CONTROL, control & ~(FPCA | SPSEL | 8))
        uc.reg_write(UC_ARM_REG_SP, uc.reg_read(UC_ARM_REG_MSP) if on_psp else frame)
        uc.reg_write(UC_ARM_REG_LR, exc_return)
        uc.reg_write(UC_ARM_REG_PC, vector | 1)

    def leave(self, exc_return: int) -> None:
        """Pop the frame that `exc_return` describes."""
        uc, scb = self._uc, self._scb
        if scb.active:
            number = scb.active.pop()
            if number not in (NMI, HARD_FAULT):
                uc.reg_write(UC_ARM_REG_FAULTMASK, 0)
        to_thread, from_psp, floating = bool(exc_return & 8), bool(exc_return & 4), not exc_return & 0x10
        frame = uc.reg_read(UC_ARM_REG_PSP if from_psp else UC_ARM_REG_MSP)
        count = EXTENDED_BYTES // 4 if floating else BASIC_BYTES // 4
        words = struct.unpack(f"<{count}I", uc.mem_read(frame, 4 * count))
        sp = frame + 4 * count + (4 if words[7] & 0x200 else 0)
        control = uc.reg_read(UC_ARM_REG_CONTROL) & ~(FPCA | SPSEL | 8)
        uc.reg_write(UC_ARM_REG_XPSR, words[7] & ~0x3FF | (scb.active[-1] if scb.active else 0))
        uc.reg_write(UC_ARM_REG_IPSR, scb.active[-1] if scb.active else 0)
        uc.reg_write(UC_ARM_REG_PSP if from_psp else UC_ARM_REG_MSP, sp)
        selected = SPSEL if to_thread and from_psp else 0
        uc.reg_write(UC_ARM_REG_CONTROL, control | selected | (FPCA if floating else 0))
        uc.reg_write(UC_ARM_REG_SP, sp)
        for register, value in zip(_SAVED, words, strict=False):
            uc.reg_write(register, value)
        if floating:
            for k in range(16):
                uc.reg_write(UC_ARM_REG_S0 + k, words[8 + k])
            uc.reg_write(UC_ARM_REG_FPSCR, words[24])
        uc.reg_write(UC_ARM_REG_PC, words[6] | 1)
