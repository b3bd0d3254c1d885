"""Explains what a block costs: the scoreboard of core/schedule.c in Python, keeping the reason of every lost cycle.

It serves reports only: times come from C. Both follow the same rules, and tests hold them together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from testbeds.virtual.cycle_model.decode import ACC_WIDE, Instruction

_WAITS = {"LD": "load result", "MAC": "multiply result", "VFP": "float result", "DIV": "divide result"}


@dataclass
class Issue:
    """Places one instruction in its schedule."""

    instruction: Instruction
    cycle: int
    slot: int
    lost: Counter[str] = field(default_factory=Counter)  # cause -> cycles waited before or while it issued


@dataclass
class Schedule:
    """Holds a straight run of instructions, scheduled."""

    issues: list[Issue]
    cycles: int

    def lost(self) -> Counter[str]:
        return sum((issue.lost for issue in self.issues), Counter[str]())


def _may_pair(i: Instruction, used: set[str]) -> bool:
    return not (i.beats > 1 or i.kind == "DSP" or (i.kind not in ("ALU", "IT") and i.kind in used))


def _needed_at(i: Instruction, register: int, when: int, producer: str) -> int:
    accumulates = i.accumulator == register or (i.accumulator == ACC_WIDE and register in i.writes)
    if accumulates and producer == "MAC":
        when -= 1
    if i.kind == "MAC" and i.accumulator != register and producer == "LD":
        when -= 1
    return when


def explain(instructions: list[Instruction]) -> Schedule:
    """Schedule `instructions` on an empty pipe and say what each waited for."""
    ready: dict[int, tuple[int, str]] = {}
    cycle, slot, used = 0, 0, set[str]()
    issues: list[Issue] = []
    for i in instructions:
        if i.kind == "IT":
            issues.append(Issue(i, cycle, slot))
            continue
        issue = Issue(i, 0, 0)
        start, cause = cycle, ""
        for register in i.reads:
            if register in ready:
                when = _needed_at(i, register, *ready[register])
                if when > start:
                    start, cause = when, _WAITS.get(ready[register][1], "result of the cycle before")
        if start > cycle:
            issue.lost[cause] += start - cycle - (1 if slot == 2 else 0)
            cycle, slot, used = start, 0, set()
        while slot == 2 or (slot == 1 and not _may_pair(i, used)):
            cycle, slot, used = cycle + 1, 0, set()
        used.add(i.kind)
        issue.cycle, issue.slot = cycle, slot
        for register in i.writes:
            base_update = i.kind in ("LD", "ST") and register in i.reads
            ready[register] = (cycle + (1 if base_update else i.latency) + i.beats - 1, i.kind)
        slot += 1
        if i.beats > 1:
            issue.lost["multi-cycle transfer" if i.kind in ("LD", "ST") else "divider busy"] += i.beats - 1
            cycle, slot = cycle + i.beats - 1, 2
        if i.kind == "BR" or i.ends_block:
            slot = 2
        issue.lost = +issue.lost
        issues.append(issue)
    return Schedule(issues, cycle + (1 if slot else 0))
