"""Checks the cycle model independently: the hottest loops by `llvm-mca -mcpu=cortex-m7`, where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

from harness.contracts.errors import BenchError
from testbeds.virtual.cycle_model.decode import Instruction
from testbeds.virtual.profile import Profile

ITERATIONS = 200
PROGRAMS = ("llvm-mca", *(f"llvm-mca-{n}" for n in range(22, 12, -1)))


@dataclass(frozen=True)
class Compared:
    """Compares one loop: cycles an iteration by the model (line fills and mispredictions apart) and by llvm-mca."""

    name: str
    address: int
    instructions: int
    model: float
    mca: float

    @property
    def ratio(self) -> float:
        return self.mca / self.model


def find_program() -> str:
    """Return the installed llvm-mca.

    Raises:
        BenchError: there is none.
    """
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    raise BenchError("llvm-mca is not installed", cure="apt install llvm")


def to_assembly(instructions: list[Instruction]) -> str:
    """Return a block as llvm-mca reads it: a branch's target becomes a label at its end."""
    lines = [".syntax unified", ".thumb"]
    for i in instructions:
        lines.append(re.sub(r"#0x[0-9a-f]+$", "after", i.text) if i.kind == "BR" else i.text)
    return "\n".join([*lines, "after:", ""])


def mca_cycles(program: str, instructions: list[Instruction]) -> float:
    """Return the cycles an iteration of a loop of `instructions` takes by llvm-mca.

    Raises:
        BenchError: llvm-mca refuses the code, or its answer is not understood.
    """
    command = [program, "-mtriple=thumbv7em-none-eabihf", "-mcpu=cortex-m7", f"-iterations={ITERATIONS}"]
    command += ["-all-views=false", "-summary-view"]
    done = subprocess.run(
        command, input=to_assembly(instructions), capture_output=True, text=True, timeout=60, check=False
    )
    total = re.search(r"Total Cycles:\s+(\d+)", done.stdout)
    if done.returncode or total is None:
        raise BenchError(f"{program}: {done.stderr.strip()[:200] or 'no answer that can be read'}")
    return int(total.group(1)) / ITERATIONS


def compare(profile: Profile, most: int = 8) -> list[Compared]:
    """Compare the hottest blocks that loop to themselves."""
    program = find_program()
    out = []
    for loop in profile.loops()[:most]:
        cycles = mca_cycles(program, loop.instructions)
        out.append(Compared(loop.name, loop.address, len(loop.instructions), loop.cost, cycles))
    return out
