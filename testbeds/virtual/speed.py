"""Measures the emulator's speed in million guest instructions a CPU second (`python -m testbeds.virtual bench`)."""

from __future__ import annotations

import time

from rich.console import Console
from rich.table import Table
from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
from unicorn.arm_const import UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_R2, UC_ARM_REG_R3, UC_CPU_ARM_CORTEX_M7

from testbeds.virtual.cycle_model.cycles import CycleModel
from testbeds.virtual.memory import FLASH, FLASH_BYTES, RAM, RAM_BYTES

# The inner loop of an int8 convolution, two outputs at a time (hand-assembled Thumb-2): 12 instructions, 4 loads.
#   ldr r5, [r0], #4 / ldr r6, [r1], #4 / ldr r7, [r2], #4 / ldr.w r8, [r2], #4
#   sxtb16 r9, r5 / sxtb16 r10, r5, ror #8 / smlad r11, r9, r6, r11 / smlad r12, r9, r7, r12
#   smlad r11, r10, r8, r11 / smlad r12, r10, r6, r12 / subs r3, #1 / bne
_LOOP = bytes.fromhex(
    "50f8045b" "51f8046b" "52f8047b" "52f8048b"
    "2ffa85f9" "2ffa95fa" "29fb06bb" "29fb07cc"
    "2afb08bb" "2afb06cc" "013b" "e9d1"
)  # fmt: skip
_INSTRUCTIONS = 12
_ROUND = 28_000  # iterations that stay within the arrays


def measure(seconds: float, *, model: bool, fills: bool) -> float:
    """Return million guest instructions of that loop in a second of processor time (other processes don't count)."""
    uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
    uc.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M7)
    uc.mem_map(FLASH, FLASH_BYTES)
    uc.mem_map(RAM, RAM_BYTES)
    uc.mem_write(FLASH, _LOOP + b"\x00\xbf\xfe\xe7")
    cycles = CycleModel(uc, fills=fills) if model else None
    end = FLASH + len(_LOOP)
    rounds, started = 0, 0.0
    for warm in (True, False):
        started = time.process_time()
        rounds = 0
        while time.process_time() - started < (0.1 if warm else seconds):
            _run_round(uc, end)
            rounds += 1
    elapsed = time.process_time() - started
    if cycles is not None:
        cycles.close()
    return rounds * _ROUND * _INSTRUCTIONS / elapsed / 1e6


def _run_round(uc: Uc, end: int) -> None:
    for register, value in (
        (UC_ARM_REG_R0, FLASH + 0x1000),
        (UC_ARM_REG_R1, RAM + 0x10000),
        (UC_ARM_REG_R2, FLASH + 0x40000),
        (UC_ARM_REG_R3, _ROUND),
    ):
        uc.reg_write(register, value)
    uc.emu_start(FLASH | 1, end)


def print_speed(seconds: float) -> int:
    """Measure, show the result, and return the exit code."""
    table = Table(title="emulator speed on this machine: an int8 convolution's inner loop")
    table.add_column("what runs")
    table.add_column("million instructions a CPU second", justify="right")
    for what, model, fills in (
        ("Unicorn alone", False, False),
        ("edge costs and predictor", True, False),
        ("and line fills (the default for reported times)", True, True),
    ):
        table.add_row(what, f"{measure(seconds, model=model, fills=fills):.0f}")
    Console().print(table)
    return 0
