"""Runs a generated network's M7 code in the emulator's core and counts, layer by layer.

The code is that of an image for the board: same sources, compiler and flags. Activations lie in cached SRAM, the
kernels' workspace in DTCM, constants in flash; caches and predictor start empty and go on from layer to layer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from elftools.elf.elffile import ELFFile

from harness.contracts import scratch
from harness.contracts.errors import BenchError
from testbeds.firmware.generator.borders import fold
from testbeds.firmware.generator.graph import GraphReport, LayerReport, generate_model
from testbeds.firmware.generator.model import Model
from testbeds.firmware.toolchain.compiler import compile_all, find_compiler, run_compiler

if TYPE_CHECKING:
    from testbeds.virtual.profile import Profile, Spent

FLASH, RAM, RAM_BYTES = 0x08000000, 0x20000000, 320 << 10
PORT = Path(__file__).resolve().parents[1] / "firmware" / "ports" / "stm32f746"
_SCRIPT = """ENTRY(run_all)
SECTIONS {
  .text 0x08000000 : { KEEP(*(.text.run_*)) *(.text .text.*) *(.rodata .rodata.*) KEEP(*(.reset)) }
  .dtcm 0x20000000 (NOLOAD) : { *(.dtcm_bss) *(.data .data.* .bss .bss.*) }
  .sram 0x20010000 (NOLOAD) : { *(.arena) }
  /DISCARD/ : { *(.ARM.exidx* .ARM.extab* .comment .note*) }
}
"""


@dataclass(frozen=True)
class Counts:
    """Counts what one run of a function took. `cycles` are without line fills; each fill takes 4 more."""

    instructions: int
    cycles: int
    mispredicted: int
    data_fills: int
    instruction_fills: int

    @property
    def fills(self) -> int:
        return self.data_fills + self.instruction_fills

    @property
    def cycles_with_fills(self) -> int:
        return self.cycles + 4 * self.fills


@dataclass(frozen=True)
class LayerCounts:
    """Counts one layer, with its code's bytes in flash; `spent` holds its cycles by cause, where asked for."""

    name: str
    kind: str
    macs: int
    constant_bytes: int
    code_bytes: int
    counts: Counts
    spent: Spent | None = None


@dataclass(frozen=True)
class Measurement:
    """Holds a network: the generator's report, its layers one by one, one run of all of it, and the bytes it left.

    `outputs` are the int8 bytes of each output after the run, `flash_bytes` code and constants of the graph. `profile`
    says where the cycles of that run went, a row a layer, where asked for.
    """

    report: GraphReport
    layers: tuple[LayerCounts, ...]
    total: Counts
    flash_bytes: int
    outputs: tuple[np.ndarray, ...]
    profile: Profile | None = None


def build(model: Model, folder: Path, *, variant: str = "fast", cc: str = "zig") -> tuple[GraphReport, Path]:
    """Build (report, ELF) of a network with one function without arguments a layer, `run_<layer>`, and `run_all`."""
    report = generate_model(model, folder, variant=variant, name="network")
    source = (folder / "graph.c").read_text()
    calls = re.findall(r"^ {2}(layer_\d+_\w+)\((.*)\);$", source[source.rindex("void graph_run(") :], re.MULTILINE)
    lines = [
        '__attribute__((section(".arena"))) _Alignas(32) int8_t arena_bytes[GRAPH_ARENA_BYTES];',
        "void run_all(void);",
        "void run_all(void) { graph_run(arena_bytes); }",
        'void reset(void) __attribute__((section(".reset")));',  # behind the code that is timed
        "void reset(void) { graph_reset(arena_bytes); }",
    ]
    for name, arguments in calls:
        lines += [
            f"void run_{name}(void);",
            f"void run_{name}(void) {{ int8_t *arena = arena_bytes; {name}({arguments}); }}",
        ]
    (folder / "graph.c").write_text("\n".join([source, *lines, ""]))
    (folder / "probe.ld").write_text(_SCRIPT)
    compiler = find_compiler(cc)
    sources = [(folder / "graph.c", ()), (PORT / "memory.c", ("-fno-builtin",))]
    objects = compile_all(compiler, "stm32f746", sources, [folder, PORT], folder)
    flags = [*compiler.target_flags("stm32f746"), "-nostdlib", "-static", "-Wl,--gc-sections", "-T", "probe.ld"]
    run_compiler([*compiler.argv, *flags, *(o.name for o in objects), "-o", "probe.elf"], folder)
    return report, folder / "probe.elf"


class Probe:
    """Runs the ELF of `build` in Unicorn with the emulator's cycle model."""

    def __init__(self, elf: Path) -> None:
        # Imported late: the emulator is a testbed of its own.
        from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc  # noqa: PLC0415
        from unicorn.arm_const import UC_ARM_REG_FPEXC, UC_CPU_ARM_CORTEX_M7  # noqa: PLC0415

        from testbeds.virtual.cycle_model.cycles import CycleModel  # noqa: PLC0415
        from testbeds.virtual.image import Image  # noqa: PLC0415

        self.uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M7)
        self.uc.mem_map(FLASH, 1 << 20)
        self.uc.mem_map(RAM, RAM_BYTES)
        with elf.open("rb") as f:
            image = ELFFile(f)
            self.flash_bytes = 0
            for segment in image.iter_segments():
                if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
                    self.uc.mem_write(segment["p_vaddr"], segment.data())
                    self.flash_bytes += segment["p_filesz"]
            table = image.get_section_by_name(".symtab")
            self.symbols = {s.name: (int(s["st_value"]), int(s["st_size"])) for s in table.iter_symbols() if s.name}
            functions = [s for s in table.iter_symbols() if s["st_info"]["type"] == "STT_FUNC"]
        found = sorted((int(f["st_value"]) & ~1, int(f["st_size"]), f.name) for f in functions)
        self.image = Image(elf, (), tuple(found))  # gives a profile its names; the flash is written above
        self.back = FLASH + (1 << 20) - 256
        self.uc.mem_write(self.back, b"\xfe\xe7")
        self.uc.reg_write(UC_ARM_REG_FPEXC, 0x40000000)
        self.model = CycleModel(self.uc)

    def close(self) -> None:
        self.model.close()

    def call(self, name: str) -> Counts:
        """Run a function without arguments on top of what the caches hold."""
        from unicorn import UcError  # noqa: PLC0415
        from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_SP  # noqa: PLC0415

        c = self.model.counters
        before = (c.instructions, c.cycles, c.mispredicted, c.data_fills, c.instruction_fills)
        self.uc.reg_write(UC_ARM_REG_SP, RAM + 0x10000 - 16)
        self.uc.reg_write(UC_ARM_REG_LR, self.back | 1)
        self.model.flush_pipe()
        c.stop = 0
        c.deadline = (1 << 64) - 1
        try:
            self.uc.emu_start(self.symbols[name][0] | 1, self.back)
        except UcError as e:
            raise BenchError(f"{name} faults in the emulated core at 0x{int(c.pc):08x} ({e})") from e
        if self.model.failure is not None:
            raise self.model.failure
        after = (c.instructions, c.cycles, c.mispredicted, c.data_fills, c.instruction_fills)
        instructions, cycles, mispredicted, data, fetched = (int(b - a) for a, b in zip(before, after, strict=True))
        return Counts(instructions, cycles - 4 * (data + fetched), mispredicted, data, fetched)

    def code_bytes(self, layer: str) -> int:
        """Return the bytes of a layer's functions."""
        return sum(
            size
            for name, (_, size) in self.symbols.items()
            if re.fullmatch(rf"{layer}(_(pair|planes|channels|by\d))?", name)
        )


def _layer(function: str) -> str:
    found = re.match(r"(layer_\d+_(?:[a-z]+))", function)
    return found[1] if found else function


def measure(
    model: Model,
    image: np.ndarray | None = None,
    *,
    variant: str = "fast",
    cc: str = "zig",
    profile: bool = False,
    causes: bool = False,
) -> Measurement:
    """Build a network for the M7 and run it on `image` (int8, by default noise of a fixed seed).

    Args:
        profile: whether to keep where the cycles of the run of all layers went.
        causes: whether to keep where those of each layer went.

    Raises:
        BenchError: the generator refuses the model, or the compiler fails.
    """
    model = fold(model).model
    entry = model.tensors[model.inputs[0]]
    if image is None:
        image = np.random.default_rng(0).integers(-128, 128, entry.shape).astype(np.int8)
    with scratch.folder("bench") as work:
        folder = Path(work)
        report, elf = build(model, folder, variant=variant, cc=cc)
        header = (folder / "graph.h").read_text()
        found = re.search(r"GRAPH_INPUT_OFFSET (\d+)", header)
        places = re.findall(r"^  \{(\d+)u, (\d+)u, ", (folder / "graph.c").read_text(), re.MULTILINE)
        probe = Probe(elf)
    try:
        arena = probe.symbols["arena_bytes"][0]
        entry_at = arena + int(found[1]) if found else arena
        feed = np.ascontiguousarray(image, np.int8).tobytes()
        probe.uc.mem_write(entry_at, feed)
        probe.call("reset")
        layers = tuple(_one_layer(probe, r, causes) for r in report.layers)
        probe.call("reset")
        probe.model.reset()
        probe.model.clear_profile()
        probe.uc.mem_write(entry_at, feed)
        total = probe.call("run_all")
        spent = _profile(probe) if profile else None
        outputs = tuple(
            np.frombuffer(bytes(probe.uc.mem_read(arena + int(at), int(size))), np.int8) for at, size in places
        )
    finally:
        probe.close()
    return Measurement(report, layers, total, probe.flash_bytes, outputs, spent)


def _one_layer(probe: Probe, r: LayerReport, causes: bool) -> LayerCounts:
    if causes:
        probe.model.clear_profile()
    counts = probe.call(f"run_{r.name}")
    spent = _profile(probe).total if causes else None
    return LayerCounts(r.name, r.kind, r.macs, r.constant_bytes, probe.code_bytes(r.name), counts, spent)


def _profile(probe: Probe) -> Profile:
    from testbeds.virtual.profile import Profile  # noqa: PLC0415

    return Profile(probe, _layer)
