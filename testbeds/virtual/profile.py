"""Tells where the cycles went: per function, by cause, and the hottest blocks as annotated disassembly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table
from unicorn import Uc

from testbeds.virtual.cycle_model.cycles import CycleModel
from testbeds.virtual.cycle_model.decode import Instruction, decode
from testbeds.virtual.image import Image
from testbeds.virtual.scoreboard import explain

HOTTEST_BLOCKS = 6
CAUSES = ("load result", "multiply result", "float result", "divide result", "multi-cycle transfer", "divider busy")


@dataclass
class Spent:
    """Counts what one function or block took."""

    cycles: int = 0
    instructions: int = 0
    entries: int = 0
    mispredict_cycles: int = 0
    data_fills: int = 0
    instruction_fills: int = 0
    lost: Counter[str] = field(default_factory=Counter)  # cause -> cycles

    def add(self, other: Spent) -> None:
        self.cycles += other.cycles
        self.instructions += other.instructions
        self.entries += other.entries
        self.mispredict_cycles += other.mispredict_cycles
        self.data_fills += other.data_fills
        self.instruction_fills += other.instruction_fills
        self.lost += other.lost

    @property
    def cpi(self) -> float:
        return self.cycles / self.instructions if self.instructions else 0.0


@dataclass(frozen=True)
class Loop:
    """Describes a block that is its own successor."""

    name: str
    address: int
    cost: int  # cycles an iteration, line fills and mispredictions apart
    spent: int  # cycles in all
    instructions: list[Instruction]


class Ran(Protocol):
    """Holds what a profile is made of: a core with the cycle model, and the image whose functions it ran."""

    uc: Uc
    model: CycleModel
    image: Image


class Profile:
    """Profiles what a machine has run since its counters were cleared. Idle time that was skipped is not in it.

    Args:
        group: the row of the table that a function goes to, by its name; itself unless given.
    """

    def __init__(self, machine: Ran, group: Callable[[str], str] = lambda name: name) -> None:
        self._machine = machine
        self._decoded: dict[tuple[int, int], list[Instruction]] = {}
        self.blocks: dict[tuple[int, int], Spent] = {}
        self._before: dict[tuple[int, int], tuple[int, list[Instruction]]] = {}  # most frequent predecessor
        self._collect()
        self.functions: dict[str, Spent] = {}
        for (address, _), spent in self.blocks.items():
            name = machine.image.function_at(address).partition("+")[0] or f"0x{address & ~0xFFF:08x}.."
            self.functions.setdefault(group(name), Spent()).add(spent)

    @property
    def total(self) -> Spent:
        out = Spent()
        for spent in self.blocks.values():
            out.add(spent)
        return out

    def _instructions(self, key: tuple[int, int]) -> list[Instruction]:
        if key not in self._decoded:
            address, size = key
            self._decoded[key] = decode(bytes(self._machine.uc.mem_read(address, size)), address)[0] if size else []
        return self._decoded[key]

    def _collect(self) -> None:
        counters = self._machine.model.counters
        for source in self._machine.model.blocks():
            taken = [source.edges[k] for k in range(source.n_edges) if source.edges[k].taken]
            if not taken:
                continue
            before = self._instructions((source.address, source.size))
            lost = explain(before).lost()
            for edge in taken:
                self._take(edge, before, lost, counters.mispredict_cycles)
        for block in self._machine.model.blocks():
            if block.data_fills or block.instruction_fills:  # also of a part that then went on as a longer block
                spent = self.blocks.setdefault((block.address, block.size), Spent())
                spent.data_fills, spent.instruction_fills = block.data_fills, block.instruction_fills
                spent.cycles += counters.fill_cycles * (block.data_fills + block.instruction_fills)

    def _take(self, edge: Any, before: list[Instruction], lost_before: Counter[str], penalty: int) -> None:
        key = (edge.address, edge.size)
        instructions = self._instructions(key)
        spent = self.blocks.setdefault(key, Spent())
        spent.cycles += edge.taken * edge.cost + edge.mispredicted * penalty
        spent.mispredict_cycles += edge.mispredicted * penalty
        spent.instructions += edge.taken * len(instructions)
        spent.entries += edge.taken
        lost = explain(before + instructions).lost() - lost_before
        for cause, cycles in lost.items():
            spent.lost[cause] += cycles * edge.taken
        if edge.taken > self._before.get(key, (0, []))[0]:
            self._before[key] = (edge.taken, before)

    def loops(self) -> list[Loop]:
        """Return the blocks that loop to themselves, the hottest first."""
        out = []
        for block in self._machine.model.blocks():
            key = (block.address, block.size)
            for k in range(block.n_edges):
                edge = block.edges[k]
                if edge.taken and (edge.address, edge.size) == key:
                    name = self._machine.image.function_at(block.address)
                    spent = self.blocks[key].cycles
                    out.append(Loop(name, block.address, int(edge.cost), spent, self._instructions(key)))
        return sorted(out, key=lambda loop: -loop.spent)

    # --- for people ---
    def function_table(self, least_share: float = 0.002) -> Table:
        """Return a table with a row for each function, the hottest first."""
        total = max(1, self.total.cycles)
        table = Table(title=f"{total:,} modelled cycles (+-5 % generated network code, +-15 % other)")
        for head in ("function", "cycles", "share", "instructions", "CPI", "mispredicted", "D fills", "I fills"):
            table.add_column(head, justify="left" if head == "function" else "right")
        table.add_column("cycles lost to", overflow="fold")
        for name, spent in sorted(self.functions.items(), key=lambda item: -item[1].cycles):
            if spent.cycles >= least_share * total:
                lost = ", ".join(f"{cause} {spent.lost[cause]:,}" for cause in CAUSES if spent.lost[cause])
                table.add_row(
                    name, f"{spent.cycles:,}", f"{spent.cycles / total:.1%}", f"{spent.instructions:,}",
                    f"{spent.cpi:.2f}", f"{spent.mispredict_cycles:,}", f"{spent.data_fills:,}",
                    f"{spent.instruction_fills:,}", lost,
                )  # fmt: skip
        return table

    def disassembly(self, key: tuple[int, int]) -> list[str]:
        """Return the block at `key`, an instruction a line: cycle and slot of issue after its commonest predecessor."""
        before = self._before.get(key, (0, []))[1]
        schedule = explain(before + self._instructions(key))
        start = explain(before).cycles
        spent = self.blocks[key]
        name = self._machine.image.function_at(key[0])
        fills = f"{spent.data_fills:,} D and {spent.instruction_fills:,} I fills"
        out = [f"{name} (0x{key[0]:08x}): {spent.entries:,} times, {spent.cycles:,} cycles, {fills}"]
        for issue in schedule.issues[len(before) :]:
            i = issue.instruction
            lost = ", ".join(f"{n} lost: {cause}" for cause, n in issue.lost.items())
            pair = "|" if issue.slot else " "
            out.append(f"  {issue.cycle - start:5d} {pair} {i.pc:08x}  {i.kind:4s} {i.text:40s} {lost}".rstrip())
        return out

    def show(self, console: Console) -> None:
        console.print(self.function_table())
        hottest = sorted(self.blocks.items(), key=lambda item: -item[1].cycles)[:HOTTEST_BLOCKS]
        console.print("hottest blocks: cycle of issue, | = second slot of a pair", markup=False)
        for key, _ in hottest:
            for line in self.disassembly(key):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
