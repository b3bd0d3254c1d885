"""Measures a user's own `.tflite` file on the emulated board: time, causes, memory, energy, and bytes that differ.

Time and energy are modelled. The bytes are those of the kernels themselves, compared with TensorFlow Lite's reference.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.bench.reference import Agreement, compare
from harness.contracts import reading
from harness.contracts.errors import BenchError

if TYPE_CHECKING:
    from testbeds.virtual.layer_cycles import LayerCounts

BOARDS = {"stm32f746": "STM32F746 (emulated), Cortex-M7"}  # those with a model of cycles and currents
DEFAULT_MHZ = 216.0
FILL_CYCLES = 4
# Cause -> how it is told. What is left of a layer's cycles is work: cycles in which instructions were issued.
CAUSES = {
    "work": "instructions",
    "loads": "waiting for loads",
    "multiplies": "waiting for multiplies",
    "branches": "mispredicted branches",
    "fills": "cache line fills",
    "other": "other waits",
}
_LOST = {"load result": "loads", "multiply result": "multiplies"}
SOURCES = {
    "cycles": "modelled: Cortex-M7 cycle model, +-5 % on network code; line fills at 4 cycles at every clock",
    "energy": "modelled: typical run current of the core from the data sheet, 3.3 V; no radio, no board",
    "memory": "exact: from the generated code",
}


@dataclass(frozen=True)
class Layer:
    """Holds one layer: cycles with line fills, by cause; bytes of its own code and constants in flash."""

    index: int
    operator: str
    macs: int
    cycles: int
    causes: dict[str, int]
    code_bytes: int
    constant_bytes: int


@dataclass(frozen=True)
class ModelReport:
    """Holds what a model costs on a board.

    cycles: of one inference with caches empty at its start, line fills included. The layers' cycles were taken one
    after the other, with what the layer before left in the caches. ram_bytes: activations, states and the kernels'
    workspace. flash_bytes: code and constants of the graph. agreement: None where it was not compared, with the reason.
    """

    file: str
    board: str
    clock_mhz: float
    variant: str
    cycles: int
    instructions: int
    macs: int
    arena_bytes: int
    state_bytes: int
    scratch_bytes: int
    flash_bytes: int
    energy_uj: float
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layers: tuple[Layer, ...]
    agreement: Agreement | None
    not_compared: str | None

    @property
    def latency_ms(self) -> float:
        return self.cycles / self.clock_mhz / 1e3

    @property
    def ram_bytes(self) -> int:
        return self.arena_bytes + self.scratch_bytes

    def record(self) -> dict[str, Any]:
        """Return everything as plain data for JSON, with where each value comes from."""
        fields = asdict(self) | {"latency_ms": self.latency_ms, "ram_bytes": self.ram_bytes, "sources": SOURCES}
        fields["agreement"] = (
            None if self.agreement is None else asdict(self.agreement) | {"share": self.agreement.share}
        )
        return fields


def measure_model(
    file: Path,
    *,
    board: str = "stm32f746",
    clock_mhz: float = DEFAULT_MHZ,
    variant: str = "fast",
    cc: str = "zig",
    samples: int = 16,
    inputs: Path | None = None,
    profile: bool = False,
) -> tuple[ModelReport, Any]:
    """Measure one model; returns the report and, with `profile`, where the cycles went in detail.

    Args:
        samples: inputs to compare bytes on; 0 leaves the comparison out.
        inputs: a .npy file of inputs [n, ...] as the model takes them; noise of a fixed seed unless given.

    Raises:
        BenchError: no such board or clock, a file that cannot be read, or a model that has no kernels or does not fit.
    """
    from testbeds.firmware.generator.borders import fold  # noqa: PLC0415 - found late, like every testbed
    from testbeds.firmware.generator.model import read_model  # noqa: PLC0415
    from testbeds.firmware.host.graphlib import GraphLibrary  # noqa: PLC0415
    from testbeds.virtual.layer_cycles import measure  # noqa: PLC0415
    from testbeds.virtual.power_states import currents  # noqa: PLC0415

    if board not in BOARDS:
        raise BenchError(f"no cycle model for the board '{board}'", cure=f"one of {', '.join(BOARDS)}")
    table = currents()
    power_w = table.core_ma("run", clock_mhz) / 1e3 * table.supply_v  # refuses a clock that it does not know
    model = read_model(file)
    folded = fold(model)
    with tempfile.TemporaryDirectory(prefix="agilenn-bench-") as folder:
        library = GraphLibrary(model, Path(folder), variant)
        border = library.report.inputs[0]
        fed = _inputs(inputs, border, max(samples, 1))
        measured = measure(model, border.from_file_input(fed[0]), variant=variant, cc=cc, profile=profile, causes=True)
        ours = [library.run(border.from_file_input(x)) for x in fed]
    if any(not np.array_equal(a, b) for a, b in zip(measured.outputs, ours[0], strict=True)):
        raise BenchError(f"{file}: the emulated core gives other bytes than this machine", cure="report this")
    agreement, reason = (None, "left out") if samples == 0 else compare(file, library.report, fed, ours)
    report, total = library.report, measured.total
    return (
        ModelReport(
            file=str(file),
            board=board,
            clock_mhz=clock_mhz,
            variant=variant,
            cycles=total.cycles_with_fills,
            instructions=total.instructions,
            macs=report.macs,
            arena_bytes=report.arena_bytes,
            state_bytes=report.state_bytes,
            scratch_bytes=report.scratch_bytes,
            flash_bytes=measured.flash_bytes,
            energy_uj=power_w * total.cycles_with_fills / clock_mhz,
            inputs=tuple(f"{b.name}: {b.text}" for b in folded.inputs),
            outputs=tuple(f"{b.name}: {b.text}" for b in folded.outputs),
            layers=tuple(_layer(one) for one in measured.layers),
            agreement=agreement,
            not_compared=reason,
        ),
        measured.profile,
    )


def _inputs(path: Path | None, border: Any, samples: int) -> np.ndarray:
    """Return inputs [n, ...] as the file takes them."""
    if path is None:
        rng = np.random.default_rng(0)
        noise = rng.integers(-128, 128, (samples, *border.shape)).astype(np.int8)
        return np.stack([border.as_file_input(x) for x in noise])
    cure = f"give a .npy file of {border.dtype} [n, {', '.join(map(str, border.file_shape[1:]))}]"
    try:
        given = np.load(path, allow_pickle=False)
    except reading.NO_ARCHIVE as e:
        raise BenchError(f"{path} holds no inputs ({e})", cure=cure) from e
    size = int(np.prod(border.file_shape))
    if not isinstance(given, np.ndarray) or given.size == 0 or given.size % size or given.dtype != border.dtype:
        kind = f"{given.dtype} {list(given.shape)}" if isinstance(given, np.ndarray) else "several arrays"
        raise BenchError(f"{path} is {kind}", cure=cure)
    taken: np.ndarray = given.reshape(-1, *border.file_shape)[:samples]
    return taken


def _layer(one: LayerCounts) -> Layer:
    spent = one.spent
    if spent is None:
        raise ValueError("layers are measured with their causes")
    causes = dict.fromkeys(CAUSES, 0)
    for cause, cycles in spent.lost.items():
        causes[_LOST.get(cause, "other")] += cycles
    causes["branches"] = spent.mispredict_cycles
    causes["fills"] = FILL_CYCLES * (spent.data_fills + spent.instruction_fills)
    causes["work"] = spent.cycles - sum(causes.values())
    index = int(one.name.split("_")[1])
    return Layer(index, one.kind, one.macs, spent.cycles, causes, one.code_bytes, one.constant_bytes)
