"""Runs the codecs' M7 code in the emulator's core, on symbols that are given, and counts.

The code is that of an image for the board: same sources, compiler and flags, memory laid out as there (tables,
workspace and features in DTCM, the message in cached SRAM). What is counted is the device's encode stage: coding with
the fall-back to stored, and the header with its CRC.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from harness.contracts import scratch
from harness.contracts.codecs import CODEC_IDS
from harness.contracts.context import ContextTables
from testbeds.firmware.toolchain.build import CORE
from testbeds.firmware.toolchain.compiler import compile_all, find_compiler, run_compiler
from testbeds.firmware.toolchain.describe import c_rows, context_tables
from testbeds.virtual.layer_cycles import PORT, Counts, Probe

_SCRIPT = """ENTRY(run_stored)
SECTIONS {
  .text 0x08000000 : { KEEP(*(.text.run_*)) *(.text .text.*) *(.rodata .rodata.*) }
  .tables 0x20000000 : { *(.dtcm_data) }
  .dtcm (NOLOAD) : { *(.dtcm_bss) *(.data .data.* .bss .bss.*) }
  .sram 0x20010000 (NOLOAD) : { *(.message) }
  /DISCARD/ : { *(.ARM.exidx* .ARM.extab* .comment .note*) }
}
"""
_SOURCES = (
    "codec.c", "codec_stored.c", "codec_lzw.c", "codec_shuffle.c", "codec_context.c", "codec_png.c", "codec_rice.c",
    "codec_jpeg.c", "codec_jpeg_tables.c", "payload.c", "crc32.c",
)  # fmt: skip


@dataclass(frozen=True)
class Encoded:
    """Records one message: the body's bytes, the codec that was used, and what the encode stage took."""

    body_bytes: int
    used: str
    counts: Counts


class CodecProbe:
    """Encodes maps of `shape` (height, width, channels) in `stride` bytes a pixel. It is a context manager."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        stride: int,
        n_symbols: int,
        *,
        tables: ContextTables | None = None,
        quality: int = 75,
        picture: bool = False,
        cc: str = "zig",
    ) -> None:
        self._shape, self._stride, self._quality = shape, stride, quality
        height, width, channels = shape
        runs, run = (height, width * channels) if picture else (height * width, channels)
        step = width * stride if picture else stride
        symbols = (
            f"features, symbol_of_byte, {runs}, {run}, {step}, {n_symbols}, quality, {'&context' if tables else 0}"
        )
        with scratch.folder("codecs") as work:
            folder = Path(work)
            (folder / "codecs.c").write_text(_source(height * width * stride, symbols, tables), encoding="ascii")
            (folder / "probe.ld").write_text(_SCRIPT, encoding="ascii")
            compiler = find_compiler(cc)
            sources: list[tuple[Path, tuple[str, ...]]] = [(folder / "codecs.c", ())]
            sources += [(CORE / name, ()) for name in _SOURCES] + [(PORT / "memory.c", ("-fno-builtin",))]
            objects = compile_all(compiler, "stm32f746", sources, [folder, CORE, PORT], folder)
            flags = [*compiler.target_flags("stm32f746"), "-nostdlib", "-static", "-Wl,--gc-sections", "-T", "probe.ld"]
            run_compiler([*compiler.argv, *flags, *(o.name for o in objects), "-o", "probe.elf"], folder)
            self._probe = Probe(folder / "probe.elf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self._probe.close()

    def encode(self, codec: str, symbols: npt.NDArray[np.uint8], quality: int | None = None) -> Encoded:
        """Encode one map's symbols (uint8, height * width * channels), with caches and predictor empty at first.

        `quality` is taken instead of the probe's.
        """
        height, width, channels = self._shape
        memory = np.zeros((height * width, self._stride), np.uint8)
        memory[:, :channels] = symbols.reshape(-1, channels)
        self._write("features", memory.tobytes())
        self._write("quality", bytes([self._quality if quality is None else quality]))
        self._probe.model.reset()
        counts = self._probe.call(f"run_{codec}")
        size, used = struct.unpack("<II", self._probe.uc.mem_read(self._probe.symbols["result"][0], 8))
        return Encoded(size, next(name for name, number in CODEC_IDS.items() if number == used), counts)

    def _write(self, symbol: str, data: bytes) -> None:
        self._probe.uc.mem_write(self._probe.symbols[symbol][0], data)


def _source(features_bytes: int, symbols: str, tables: ContextTables | None) -> str:
    lines = [
        '#include "codec.h"',
        '#include "payload.h"',
        '#include "placement.h"',
        f"uint8_t FAST_BSS features[{features_bytes}];",
        f"static const uint8_t FAST_TABLE symbol_of_byte[256] = {{{c_rows(list(range(256)))}}};",
        "static codec_work_t FAST_BSS work;",
        "uint32_t FAST_BSS result[2];",
        "uint8_t FAST_BSS quality;",
        '__attribute__((section(".message"), aligned(32))) uint8_t message[131072];',
        "void run(encode_fn encode, unsigned wanted, const symbols_t *from);",
        "void run(encode_fn encode, unsigned wanted, const symbols_t *from) {",
        "  uint8_t used;",
        "  size_t size = codec_encode_by(encode, wanted, from, message + PAYLOAD_HEAD, sizeof message - PAYLOAD_HEAD,"
        " &work, &used);",
        "  payload_header_t header = {used, 1, 2, (uint32_t)size};",
        "  payload_seal(message, &header);",
        "  result[0] = (uint32_t)size; result[1] = used; }",
    ]
    lines.append(context_tables(tables))
    for name, number in CODEC_IDS.items():
        lines += [
            f"void run_{name}(void);",
            f"void run_{name}(void) {{ symbols_t from = {{{symbols}}}; run({name}_encode, {number}, &from); }}",
        ]
    return "\n".join([*lines, ""])
