"""Writes graph.c and graph.h: the whole network as C that needs only the kernel headers."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.contracts.errors import BenchError

from . import refusals
from .borders import Border, fold
from .layer import Layer
from .lower import Lowering
from .model import Model, read_model
from .plan import Plan, plan
from .source import round_up

KERNELS = Path(__file__).resolve().parents[1] / "kernels"
HEADERS = ("m7.h", "widen.h", "ops.h", "elementwise.h", "moves.h", "svdf.h")
VARIANTS = ("fast", "lean")
RAM_BYTES = 320 << 10
FLASH_BYTES = 1 << 20


@dataclass(frozen=True)
class LayerReport:
    """Reports one layer: its C function, operator, multiply-accumulates and bytes of constants in flash."""

    name: str
    kind: str
    macs: int
    constant_bytes: int
    scratch_bytes: int


@dataclass(frozen=True)
class GraphReport:
    """Reports what was generated.

    `arena_bytes` is the peak of the activations, `layer_bound_bytes` the largest layer's inputs and output,
    `scratch_bytes` the memory that the kernels work in (DTCM on the board), `constant_bytes` weights and tables in
    flash, code not counted. `state_bytes` is what operators keep of the arena from run to run. `inputs` and `outputs`
    relate the board's tensors to the file's.
    """

    variant: str
    arena_bytes: int
    layer_bound_bytes: int
    scratch_bytes: int
    constant_bytes: int
    layers: tuple[LayerReport, ...]
    state_bytes: int = 0
    inputs: tuple[Border, ...] = ()
    outputs: tuple[Border, ...] = ()

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def ram_bytes(self) -> int:
        return self.arena_bytes + self.scratch_bytes


def generate(tflite_path: Path | str, out_dir: Path | str, *, variant: str = "fast") -> GraphReport:
    """Write graph.c, graph.h and the kernel headers for a `.tflite` file into `out_dir`.

    Args:
        tflite_path: an int8 model with batch size 1.
        out_dir: a folder, which is made where it is missing.
        variant: "fast", or "lean" for the least flash.

    Raises:
        BenchError: the file cannot be read or holds something that has no kernel (operator and tensor are named), or
            the model does not fit 320 KB of RAM or 1 MB of flash (by how much is said).
    """
    if variant not in VARIANTS:
        raise BenchError(f"unknown kernel variant '{variant}'", f"one of {', '.join(VARIANTS)}")
    path, out = Path(tflite_path), Path(out_dir)
    model = read_model(path)
    return generate_model(model, out, variant=variant, name=path.name)


def generate_model(model: Model, out: Path, *, variant: str, name: str) -> GraphReport:
    """Generate C for a model that is already read; otherwise as `generate`."""
    folded = fold(model)
    model = folded.model
    lowering = Lowering(model, variant)
    layers = lowering.run()
    if not layers:
        raise BenchError(f"{name} holds no layer", "take another model")
    if len(model.inputs) != 1:
        raise BenchError(f"{name} has {len(model.inputs)} inputs", "the board feeds one image")
    for t in (*model.inputs, *model.outputs):
        tensor = model.tensors[t]
        if tensor.dtype != "int8" or tensor.scales.size != 1:
            what = f"{name}: '{tensor.name}' is {tensor.dtype}, not int8 with one scale"
            raise BenchError(what, refusals.type_cure(tensor.dtype))
    placed = plan(model, layers, lowering.aliases)
    scratch = round_up(max(layer.emitted.scratch_bytes for layer in layers), 32)
    reports = tuple(
        LayerReport(x.name, x.kind, x.macs, x.emitted.constant_bytes, x.emitted.scratch_bytes) for x in layers
    )
    report = GraphReport(
        variant,
        placed.arena_bytes,
        placed.layer_bound_bytes,
        scratch,
        sum(r.constant_bytes for r in reports),
        reports,
        sum(round_up(bytes_, 32) for _, bytes_ in _states(model, layers, placed)),
        folded.inputs,
        folded.outputs,
    )
    check_fit(report, name)
    out.mkdir(parents=True, exist_ok=True)
    for header in HEADERS:
        shutil.copyfile(KERNELS / header, out / header)
    (out / "graph.h").write_text(_header(model, placed, report, name))
    (out / "graph.c").write_text(_source(model, layers, placed, report))
    return report


def check_fit(report: GraphReport, name: str) -> None:
    """Refuse a network that cannot fit the board even alone."""
    for have, limit, what in (
        (report.ram_bytes, RAM_BYTES, "RAM"),
        (report.constant_bytes, FLASH_BYTES, "flash"),
    ):
        if have > limit:
            raise BenchError(
                f"{name} needs {have} bytes of {what}, {have - limit} more than the board's {limit}",
                "build the lean kernels"
                if what == "flash" and report.variant == "fast"
                else "take a smaller network or input",
            )


def _states(model: Model, layers: list[Layer], placed: Plan) -> list[tuple[int, int]]:
    """Return (offset in the arena, bytes) of each state."""
    kept = sorted({t for layer in layers for t in layer.inputs if model.tensors[t].variable})
    return [(placed.offsets[t], model.tensors[t].bytes) for t in kept]


def _header(model: Model, placed: Plan, report: GraphReport, name: str) -> str:
    entry = model.inputs[0]
    tensor = model.tensors[entry]
    return f"""/* Generated from {re.sub(r"[^A-Za-z0-9._-]", "_", name)}; do not edit. Kernels: {report.variant}. */
#ifndef GRAPH_H
#define GRAPH_H

#include <stdint.h>

#define GRAPH_ARENA_BYTES {report.arena_bytes}
#define GRAPH_SCRATCH_BYTES {report.scratch_bytes}
#define GRAPH_INPUT_OFFSET {placed.offsets[entry]}
#define GRAPH_INPUT_BYTES {model.tensors[entry].elements}
#define GRAPH_INPUT_SCALE {float(tensor.scale).hex()}f
#define GRAPH_INPUT_ZERO_POINT ({tensor.zero_point})
#define GRAPH_OUTPUTS {len(model.outputs)}

typedef struct {{
  uint32_t offset, bytes; /* in the arena */
  float scale;
  int32_t zero_point;
  uint16_t height, width, channels;
}} graph_output_t;

extern const graph_output_t graph_outputs[];

/* Runs the network. arena: GRAPH_ARENA_BYTES at a multiple of 32; the input is overwritten. */
void graph_run(int8_t *arena);

/* Forgets what operators with a state (SVDF) keep in the arena from run to run. Needed before the first run. */
void graph_reset(int8_t *arena);

#endif
"""


def _source(model: Model, layers: list[Layer], placed: Plan, report: GraphReport) -> str:
    def place(call: str) -> str:
        return re.sub(r"@(\d+)@", lambda m: str(placed.offsets[int(m[1])]), call)

    lines = [
        '#include "graph.h"',
        "",
        '#include "elementwise.h"',
        '#include "moves.h"',
        '#include "ops.h"',
        '#include "svdf.h"',
        '#include "widen.h"',
        "",
    ]
    if report.scratch_bytes:
        lines += [
            "/* The kernels' workspace: tightly coupled memory where the board has it. */",
            "#ifdef FW_DTCM",
            '__attribute__((section(".dtcm_bss")))',
            "#endif",
            f"static _Alignas(32) uint32_t graph_scratch[{report.scratch_bytes // 4}];",
            "",
        ]
    for layer in layers:
        lines += [*layer.emitted.lines, ""]
    lines.append(f"const graph_output_t graph_outputs[{len(model.outputs)}] = {{")
    for t in model.outputs:
        tensor = model.tensors[t]
        height, width, channels = tensor.hwc()
        lines.append(
            f"  {{{placed.offsets[t]}u, {tensor.elements}u, {float(tensor.scale).hex()}f, {tensor.zero_point}, "
            f"{height}, {width}, {channels}}},"
        )
    lines += ["};", "", "void graph_run(int8_t *arena) {"]
    lines += [f"  {place(layer.call)}" for layer in layers]
    lines += ["}", "", "void graph_reset(int8_t *arena) {"]
    lines += [f"  memset(arena + {at}, 0, {size});" for at, size in _states(model, layers, placed)] or [
        "  (void)arena;"
    ]
    return "\n".join([*lines, "}", ""])
