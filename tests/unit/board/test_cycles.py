"""The cycle model, cycle for cycle against pinned figures, and the accesses it computes against Unicorn's own.

The figures were made on 2026-11-23 with the slow reference of the same rules (a plain Python scoreboard, predictor and
caches hooked into Unicorn 2.1.4 with capstone 5.0.9), which came within 3 % of four published STM32F746 times: each
function called alone on caches that start empty and stay as the one before left them, after an uncounted `fill`.
Compiled code is pinned with its compiler (ziglang 0.17.1): another one makes other blocks.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
from unicorn.arm_const import UC_ARM_REG_FPEXC, UC_ARM_REG_LR, UC_ARM_REG_SP, UC_CPU_ARM_CORTEX_M7

from testbeds.virtual.cycle_model.cycles import NEVER, CycleModel
from testbeds.virtual.cycle_model.decode import decode
from testbeds.virtual.image import Image, load_image
from testbeds.virtual.memory import FLASH, FLASH_BYTES, RAM, RAM_BYTES

pytestmark = pytest.mark.slow

BACK = 0x080FFF00
# function: instructions, cycles without fills, mispredicted, data fills, instruction fills
PINNED = {
    "multiply_accumulate": (55361, 38001, 9, 1540, 9),
    "dsp": (2764, 2321, 1, 64, 7),
    "divide": (1971, 5959, 1, 0, 10),
    "floating": (2599, 5788, 1, 14, 2),
    "branches": (23015, 21972, 745, 71, 5),
    "transfers": (4613, 6620, 1, 43, 4),
    "indirect": (9613, 11211, 200, 0, 4),
    "stream_flash": (12689, 8100, 3, 1152, 4),
}


class Bare:
    """Flash, RAM, the cycle model, and nothing else: functions are called one by one."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M7)
        self.uc.mem_map(FLASH, FLASH_BYTES)
        self.uc.mem_map(RAM, RAM_BYTES)
        for address, data in image.segments:
            self.uc.mem_write(address, data)
        self.uc.mem_write(BACK, b"\xfe\xe7")
        self.uc.reg_write(UC_ARM_REG_FPEXC, 0x40000000)
        self.model = CycleModel(self.uc)

    def call(self, name: str) -> None:
        self.model.flush_pipe()
        self.uc.reg_write(UC_ARM_REG_SP, RAM + RAM_BYTES - 16)
        self.uc.reg_write(UC_ARM_REG_LR, BACK | 1)
        self.uc.emu_start(self.image.symbols[name] | 1, BACK)
        assert self.model.failure is None

    def counts(self) -> tuple[int, int, int, int, int]:
        c = self.model.counters
        plain = c.cycles - c.fill_cycles * (c.data_fills + c.instruction_fills)
        return c.instructions, plain, c.mispredicted, c.data_fills, c.instruction_fills


@pytest.fixture
def bare(firmware: Callable[[str], Path]) -> Iterator[Bare]:
    one = Bare(load_image(firmware("cycles")))
    yield one
    one.model.close()


def test_every_cycle_and_line_fill_is_as_pinned(bare: Bare) -> None:
    bare.call("fill")
    bare.model.reset()
    before = (0, 0, 0, 0, 0)
    for name, pinned in PINNED.items():
        bare.call(name)
        now = bare.counts()
        assert tuple(b - a for a, b in zip(before, now, strict=True)) == pinned, name
        before = now


def test_accesses_computed_from_registers_are_those_that_unicorn_makes(firmware: Callable[[str], Path]) -> None:
    """The model never hooks memory (that is 20 times slower); this run does, and compares address by address."""
    image, most = load_image(firmware("cycles")), 400_000
    ours, theirs = Bare(image), Bare(image)
    ours.model.trace(most)
    theirs.model.counters.fills_on = 0
    theirs.model.trace(most)
    theirs.model.trace_memory_hook()
    for name in ("fill", *PINNED):
        ours.call(name)
        theirs.call(name)
    computed, seen = ours.model.traced(most), theirs.model.traced(most)
    ours.model.close()
    theirs.model.close()
    assert 30_000 < len(seen) < most
    assert _lines(computed) == _lines(seen)


def _lines(addresses: list[int]) -> list[int]:
    """Cache lines in order, each stay counted once: what the caches can tell apart."""
    lines = [a >> 5 for a in addresses]
    return [line for k, line in enumerate(lines) if k == 0 or line != lines[k - 1]]


def test_the_same_call_costs_the_same_again_after_a_restore(bare: Bare) -> None:
    bare.call("fill")
    bare.call("branches")
    memory = bytes(bare.uc.mem_read(RAM, RAM_BYTES))
    bare.model.snapshot()
    runs = []
    for _ in range(2):
        bare.uc.mem_write(RAM, memory)
        bare.model.restore()
        start = bare.counts()
        bare.call("branches")
        bare.call("multiply_accumulate")
        runs.append(tuple(b - a for a, b in zip(start, bare.counts(), strict=True)))
    assert runs[0] == runs[1]


def test_the_api_gives_the_same_when_the_registers_are_not_found(bare: Bare) -> None:
    bare.call("fill")
    bare.model.reset()
    bare.model._lib.m7_set_registers(bare.model._m, None)
    bare.call("multiply_accumulate")
    assert bare.counts() == PINNED["multiply_accumulate"]


def test_a_stop_before_a_block_charges_nothing(bare: Bare) -> None:
    bare.call("fill")
    bare.model.reset()
    bare.model.counters.deadline = 20_000
    bare.call("multiply_accumulate")
    part = bare.counts()
    assert 20_000 <= bare.model.counters.cycles < 20_100
    bare.model.counters.deadline = NEVER
    bare.uc.emu_start(bare.uc.reg_read(11) | 1, BACK)  # 11: UC_ARM_REG_PC
    assert part < bare.counts() == PINNED["multiply_accumulate"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (b"\x01\xf8\x04\x2b", (0, 1)),  # strb r2, [r1], #4: accesses r1 itself
        (b"\x51\xf8\x04\x2f", (4, 1)),  # ldr r2, [r1, #4]!
        (b"\x51\xf8\x23\x20", (0, 1)),  # ldr r2, [r1, r3, lsl #2]
        (b"\x2d\xe9\xf0\x41", (-24, 6)),  # push {r4-r8, lr}
        (b"\xbd\xec\x08\x8b", (0, 4)),  # vpop {d8-d11}
    ],
)
def test_where_an_instruction_accesses(code: bytes, expected: tuple[int, int]) -> None:
    _, accesses = decode(code, FLASH)
    assert [(a.offset, a.count) for a in accesses] == [expected]


def test_a_literal_load_is_known_at_once() -> None:
    _, (access,) = decode(struct.pack("<HH", 0xBF00, 0x4802), FLASH)  # nop; ldr r0, [pc, #8] at FLASH + 2
    assert (access.base, access.offset) == (0xFF, FLASH + 4 + 8)  # pc reads as the next word boundary but one


def test_loads_under_a_condition_count_only_when_carried_out(bare: Bare) -> None:
    """Not compared with Unicorn's memory hooks: 2.1.4 runs conditional accesses wrongly once memory is hooked."""
    words = bare.image.symbols["words"]
    bare.model.trace(100)
    bare.call("conditional")
    at = [a - words for a in bare.model.traced(100) if words <= a < words + 4096]
    assert at == [64] * 3 + [32, 96] * 3
