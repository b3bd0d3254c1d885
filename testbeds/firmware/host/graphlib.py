"""Compiles a generated graph for this machine: the kernel sources with portable instructions, called by ctypes."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import numpy as np

from testbeds.firmware.generator.borders import fold
from testbeds.firmware.generator.graph import generate_model
from testbeds.firmware.generator.model import Model
from testbeds.firmware.toolchain.compiler import find_compiler, run_compiler


class _Output(ctypes.Structure):
    _fields_ = (
        ("offset", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
        ("height", ctypes.c_uint16),
        ("width", ctypes.c_uint16),
        ("channels", ctypes.c_uint16),
    )


class GraphLibrary:
    """Generates a model into a folder, compiles it for this machine, and runs it; the bytes are those of the board.

    Args:
        folder: where the sources and the library go; it is made where it is missing.
        variant: the kernels' variant, "fast" or "lean".
        flags: extra flags for the compiler.

    Raises:
        BenchError: the generator refuses the model, or the compiler fails.
    """

    GUARD = 64  # bytes on both sides of the arena that no kernel may touch

    def __init__(self, model: Model, folder: Path, variant: str = "fast", flags: tuple[str, ...] = ("-O2",)) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.model = fold(model).model
        self.report = generate_model(model, folder, variant=variant, name="graph")
        compiler = find_compiler("zig")
        warnings = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-fno-sanitize=undefined")
        argv = [
            *compiler.argv,
            *compiler.target_flags("host"),
            *warnings,
            *flags,
            "-shared",
            "-o",
            "graph.so",
            "graph.c",
        ]
        run_compiler(argv, folder)
        self._library = ctypes.CDLL(str((folder / "graph.so").resolve()))
        header = (folder / "graph.h").read_text()
        self.defined = {k: int(v) for k, v in re.findall(r"#define (\w+) (\d+)$", header, re.MULTILINE)}
        size = self.defined["GRAPH_ARENA_BYTES"]
        self.memory = np.full(size + 2 * self.GUARD + 32, 0x5A, np.int8)
        self.start = self.GUARD + (-(self.memory.ctypes.data + self.GUARD)) % 32
        self.arena = self.memory[self.start : self.start + size]
        self.outputs = (_Output * self.defined["GRAPH_OUTPUTS"]).in_dll(self._library, "graph_outputs")
        self.reset()

    def reset(self) -> None:
        """Forget what operators with a state keep from run to run."""
        self._library.graph_reset(ctypes.c_void_p(self.arena.ctypes.data))

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """Run an int8 input of any shape; return int8 [bytes] of each output. A state goes on from the run before."""
        at = self.defined["GRAPH_INPUT_OFFSET"]
        self.arena[at : at + x.size] = x.reshape(-1)
        self._library.graph_run(ctypes.c_void_p(self.arena.ctypes.data))
        return [self.arena[o.offset : o.offset + o.bytes].copy() for o in self.outputs]
