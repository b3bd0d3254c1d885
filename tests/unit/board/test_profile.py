"""The profile: its sums are the counters', its reasons are the scoreboard's, and llvm-mca is asked in its language."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.contracts.errors import BenchError
from testbeds.virtual import mca
from testbeds.virtual.cycle_model.decode import decode
from testbeds.virtual.profile import Profile
from testbeds.virtual.scoreboard import explain

pytestmark = pytest.mark.slow

Make = Callable[..., Any]
FAKE = """#!/bin/sh
input=$(cat)
echo "$input" > "$(dirname "$0")/asked.s"
echo "$@" > "$(dirname "$0")/arguments"
echo "Iterations:        200"
echo "Total Cycles:      7400"
"""


def test_the_explained_schedule_costs_what_c_charges(bench: Make) -> None:
    machine = bench("cycles").run().machine
    edges = 0
    for block in machine.model.blocks():
        before = _decoded(machine, block)
        for k in range(block.n_edges):
            edge = block.edges[k]
            both = explain(before + _decoded(machine, edge)).cycles
            assert both - explain(before).cycles == edge.cost, f"{block.address:#x} -> {edge.address:#x}"
            edges += 1
    assert edges > 100


def _decoded(machine: Any, block: Any) -> list[Any]:
    return decode(bytes(machine.uc.mem_read(block.address, block.size)), block.address)[0] if block.size else []


def test_a_profile_adds_up_to_the_counters(bench: Make) -> None:
    machine = bench("cycles").run().machine
    profile, counters = Profile(machine), machine.model.counters
    assert profile.total.cycles == counters.cycles - counters.skipped
    assert profile.total.instructions == counters.instructions
    assert profile.total.data_fills == counters.data_fills
    assert profile.functions["multiply_accumulate"].cycles == max(f.cycles for f in profile.functions.values())
    assert profile.functions["divide"].lost["divider busy"] > 2000
    assert profile.functions["floating"].lost["float result"] > 3000


def test_a_profile_is_shown(bench: Make) -> None:
    profile = Profile(bench("cycles").run().machine)
    console = Console(record=True, width=160, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    profile.show(console)
    text = console.export_text()
    assert "multiply_accumulate" in text and "smlabb" in text and "lost: load result" in text


def test_loops_are_compared_with_llvm_mca(bench: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "llvm-mca"
    program.write_text(FAKE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    hottest = mca.compare(Profile(bench("cycles").run().machine))[0]
    assert hottest.name.startswith("multiply_accumulate") and (hottest.model, hottest.mca) == (37, 37.0)
    assert "-mcpu=cortex-m7" in (tmp_path / "arguments").read_text()


def test_branches_are_written_with_a_label() -> None:
    instructions, _ = decode(b"\x52\x1c\x9a\x42\xfc\xd1", 0x08000000)  # adds r2, r2, #1; cmp r2, r3; bne
    assert mca.to_assembly(instructions).splitlines()[-2:] == ["bne after", "after:"]


def test_without_llvm_mca(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchError, match="llvm-mca is not installed"):
        mca.find_program()
