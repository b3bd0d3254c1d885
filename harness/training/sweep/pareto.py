"""Finds AgileNN's own Pareto front: accuracy against total latency over extractor, split, codebook and local branch.

Each candidate's device half is exported untrained first and run in the emulated core: cycles depend on shapes alone.
Those within the cycle budget are trained like any point; the front is found on validation, accuracies are the test's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis import pareto
from harness.runs.trained_rows import RATES, Row
from harness.training.sweep.axes import Setting
from harness.training.sweep.latency import Latency
from harness.training.sweep.points import Base

if TYPE_CHECKING:
    from baselines.data import DataSet

CLOCK_HZ = 216e6
PUBLISHED = "published"  # the candidate that is the paper's configuration at this size


@dataclass(frozen=True)
class Cost:
    """Holds what a candidate's device half takes on the board: modelled cycles, MACs, symbols sent."""

    cycles: int
    macs: int
    symbols: int


def cost(base: Base, setting: Setting, data: DataSet) -> Cost:
    """Compute the cost of a candidate, without training it.

    Raises:
        BenchError: an operator that the generator lacks, or no compiler.
    """
    from baselines.schemes.agilenn.costs import untrained_graph  # noqa: PLC0415 - imports TensorFlow
    from testbeds.firmware.generator.model import parse_model  # noqa: PLC0415
    from testbeds.virtual.layer_cycles import measure  # noqa: PLC0415 - compiles and emulates

    graph, symbols = untrained_graph(base.recipe(setting), data)
    measured = measure(parse_model(graph))
    return Cost(measured.total.cycles_with_fills, measured.report.macs, symbols)


def with_latency(row: Row, own: Cost, reference: Cost, latency: Latency) -> Row:
    """Return the row with cycles and modelled totals; `reference` is the configuration that the latency run
    measured.
    """
    # What the board adds to the graph's own cycles (copies, interrupts) is taken as proportional.
    local_ms = latency.local_ms * own.cycles / reference.cycles
    totals = latency.totals(
        float(row["payload_bytes_mean"]), local_ms=local_ms, symbols_factor=own.symbols / reference.symbols
    )
    shown: Row = {"cycles": own.cycles, "macs": own.macs, "local_ms": round(local_ms, 3), "time_source": "modelled"}
    return row | shown | totals


def front(rows: Sequence[Row], total: str) -> list[str]:
    """Return the values of the rows that no other one beats in validation accuracy and in the latency `total`."""
    best = pareto.front(rows, lambda row: float(row[total]), lambda row: float(row["validation_accuracy"]))
    return [str(row["value"]) for row in rows if any(row is one for one in best)]


def fronts(rows: Sequence[Row]) -> Mapping[str, list[str]]:
    """Return the front at each rate."""
    return {total: front(rows, total) for total in RATES}
