"""Measures what a candidate costs on the board: modelled cycles of the code that the generator writes for it, RAM and
flash.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from harness.contracts import reading, scratch
from harness.contracts.errors import BenchError
from harness.contracts.paths import cache_dir

CLOCK_HZ = 216_000_000
# The board has 320 KB and 1 MB; the rest is for stack, picture, encoder, protocol and their code.
RAM_BYTES, FLASH_BYTES = 272 << 10, 960 << 10
_LEAST_CYCLES_A_MAC = 0.6  # below what any kernel reaches: above the budget by that, nobody needs to run it


@dataclass(frozen=True)
class Cost:
    """Holds the modelled time of one inference, bytes of RAM (activations and workspace) and of flash (code and
    constants).

    latency_ms is None where RAM, flash or multiply-accumulates alone already refuse it.
    """

    macs: int
    ram_bytes: int
    flash_bytes: int
    latency_ms: float | None


@dataclass(frozen=True)
class Budget:
    """Says what a candidate may cost."""

    latency_ms: float
    ram_bytes: int = RAM_BYTES
    flash_bytes: int = FLASH_BYTES

    def refusal(self, cost: Cost) -> str | None:
        """Say why a candidate of this cost is not trained; return None where it is."""
        if cost.ram_bytes > self.ram_bytes:
            return f"RAM {cost.ram_bytes / 1024:.0f} KB"
        if cost.flash_bytes > self.flash_bytes:
            return f"flash {cost.flash_bytes / 1024:.0f} KB"
        if cost.latency_ms is None:
            return f"{cost.macs / 1e6:.1f} M MAC"
        return f"{cost.latency_ms:.1f} ms" if cost.latency_ms > self.latency_ms else None


def measured(graph: bytes, budget: Budget) -> Cost:
    """Generate, compile and run the candidate's code in the emulated core; kept by graph and generator.

    Raises:
        BenchError: an operator that the generator lacks, or no compiler.
    """
    path = cache_dir() / "search" / f"cost-{_key(graph)}.json"
    try:
        return Cost(**reading.json_of(path, "measured anew"))
    except (BenchError, TypeError):
        pass  # not there, or of an older bench
    cost = _measure(graph, budget)
    if cost.latency_ms is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(cost)), encoding="utf-8")
    return cost


def _measure(graph: bytes, budget: Budget) -> Cost:
    from testbeds.firmware.generator.graph import generate_model  # noqa: PLC0415 - found late, like every testbed
    from testbeds.firmware.generator.model import read_model  # noqa: PLC0415
    from testbeds.virtual.layer_cycles import measure  # noqa: PLC0415

    with scratch.folder("search") as work:
        file = Path(work) / "device.tflite"
        file.write_bytes(graph)
        model = read_model(file)
        try:
            report = generate_model(model, Path(work), variant="fast", name="candidate")
        except BenchError as e:
            if "more than the board's" not in str(e):
                raise
            return Cost(0, budget.ram_bytes + 1, budget.flash_bytes + 1, None)
        least_ms = report.macs * _LEAST_CYCLES_A_MAC / CLOCK_HZ * 1e3
        if (
            report.ram_bytes > budget.ram_bytes
            or report.constant_bytes > budget.flash_bytes
            or least_ms > budget.latency_ms
        ):
            return Cost(report.macs, report.ram_bytes, report.constant_bytes, None)
        found = measure(model)
    latency_ms = found.total.cycles_with_fills / CLOCK_HZ * 1e3
    return Cost(report.macs, report.ram_bytes, found.flash_bytes, round(latency_ms, 4))


def _key(graph: bytes) -> str:
    return hashlib.sha256(graph + _sources().encode()).hexdigest()[:20]


@cache
def _sources() -> str:
    """Return a hash of generator, kernels and cycle model: another one may cost something else."""
    import testbeds.firmware  # noqa: PLC0415
    import testbeds.virtual  # noqa: PLC0415

    roots = [Path(str(testbeds.firmware.__file__)).parent, Path(str(testbeds.virtual.__file__)).parent]
    folders = [roots[0] / "generator", roots[0] / "kernels", roots[1] / "cycle_model"]
    digest = hashlib.sha256((roots[0] / "toolchain" / "compiler.py").read_bytes())
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in (".py", ".c", ".h")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
