"""A generated graph compiled for this machine, called through ctypes: the kernel sources with portable instructions."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from testbeds.firmware.generator.graph import generate_model


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


class HostGraph:
    """Generates `model` into `folder`, compiles it, and runs it with guard bytes on both sides of the arena."""

    GUARD = 64

    def __init__(self, model, folder: Path, variant="fast", flags=("-O1",)):
        folder.mkdir(parents=True, exist_ok=True)
        self.model = model
        self.report = generate_model(model, folder, variant=variant, name="test")
        library = folder / "graph.so"
        warnings = ("-std=c11", "-Wall", "-Wextra", "-Werror")
        zig = [sys.executable, "-m", "ziglang", "cc", *flags, *warnings, "-fno-sanitize=undefined"]
        zig += ["-fsanitize=alignment", "-fsanitize-trap=alignment"]  # words are promised to lie at word addresses
        subprocess.run([*zig, "-shared", "-fPIC", "-o", str(library), str(folder / "graph.c")], check=True)
        self.library = ctypes.CDLL(str(library))
        header = (folder / "graph.h").read_text()
        self.defined = {k: int(v) for k, v in re.findall(r"#define (\w+) (\d+)", header)}
        self.outputs = (_Output * self.defined["GRAPH_OUTPUTS"]).in_dll(self.library, "graph_outputs")

    def run(self, x):
        """int8 input -> list of flat int8 outputs."""
        size = self.defined["GRAPH_ARENA_BYTES"]
        memory = np.full(size + 2 * self.GUARD + 32, 0x5A, np.int8)
        start = self.GUARD + (-(memory.ctypes.data + self.GUARD)) % 32
        arena = memory[start : start + size]
        at = self.defined["GRAPH_INPUT_OFFSET"]
        arena[at : at + x.size] = x.reshape(-1)
        self.library.graph_run(ctypes.c_void_p(arena.ctypes.data))
        assert np.all(memory[:start] == 0x5A), "written before the arena"
        assert np.all(memory[start + size :] == 0x5A), "written behind the arena"
        return [arena[o.offset : o.offset + o.bytes].copy() for o in self.outputs]
