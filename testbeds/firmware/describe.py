"""Writes the generated description of a scheme: sizes as `scheme_config.h`, the rest as `scheme_desc.c`."""

from __future__ import annotations

import struct
from pathlib import Path

import tflite

from harness.contracts.description import GRAPH, DeviceDescription, load_description, weights_u32
from harness.contracts.errors import BenchError

CODECS = {"stored": 0, "lzw": 1, "shuffle": 2, "png": 3, "rice": 4, "jpeg": 5}
OFFLOADS = {"none": 0, "image": 1, "features": 2}


def write_description(artefact_dir: Path, out_dir: Path) -> DeviceDescription:
    """Write both files for the scheme in `artefact_dir` to `out_dir` and return its description.

    Raises:
        BenchError: the artefact can't be read, or description and graph disagree.
    """
    description = load_description(artefact_dir)
    symbols = count_symbols(description, artefact_dir)
    (out_dir / "scheme_config.h").write_text(_config(description, symbols), encoding="ascii")
    (out_dir / "scheme_desc.c").write_text(_constants(description, weights_u32(artefact_dir)), encoding="ascii")
    return description


def count_symbols(description: DeviceDescription, artefact_dir: Path) -> int:
    """Symbols that one inference sends; 0 for schemes that send none."""
    if description.offload == "none":
        return 0
    if description.offload == "image":
        return description.image_bytes
    shape = _output_shape(artefact_dir / GRAPH, description.features_output)
    if len(shape) != 3 or description.first_channel + description.channels > shape[2]:
        raise BenchError(
            f"{artefact_dir}: channels {description.first_channel}..+{description.channels} are not in the"
            f" features output of shape {shape}",
            cure="train the scheme again",
        )
    return shape[0] * shape[1] * description.channels


def symbol_bits(n_symbols: int) -> int:
    """Bits of a stored symbol."""
    return max(1, (n_symbols - 1).bit_length())


def _output_shape(path: Path, index: int) -> tuple[int, ...]:
    """Shape of a graph output without its batch axis."""
    try:
        graph = tflite.Model.GetRootAs(path.read_bytes()).Subgraphs(0)
        tensor = graph.Tensors(graph.Outputs(index))
        return tuple(int(tensor.Shape(i)) for i in range(1, tensor.ShapeLength()))
    except (OSError, struct.error, IndexError, AttributeError, TypeError, ValueError) as e:
        raise BenchError(f"{path} is no readable TensorFlow Lite model ({e})", cure="train the scheme again") from e


def _config(d: DeviceDescription, symbols: int) -> str:
    n_symbols = d.n_symbols if d.offload == "features" else 256
    stored = (symbols * symbol_bits(n_symbols) + 7) // 8
    return f"""#define SCHEME_NAME "{d.label[:48]}"
#define SCHEME_HAS_GRAPH {int(d.graph)}
#define SCHEME_IMAGE_BYTES {d.image_bytes}u
#define SCHEME_IMAGE_ROWS {d.input_shape[0]}u
#define SCHEME_CLASSES {d.classes}u
#define SCHEME_SYMBOLS {symbols}u
#define SCHEME_N_SYMBOLS {n_symbols}u
#define SCHEME_STORED_BYTES {stored}u
"""


def _constants(d: DeviceDescription, weights: int) -> str:
    table = _table_by_byte(d)
    rows = "\n".join(
        "    " + " ".join(f"{value}," for value in table[start : start + 16]) for start in range(0, 256, 16)
    )
    return f"""#include "placement.h"
#include "scheme.h"

const scheme_t scheme = {{
    .weights = 0x{weights:08x}u,
    .offload = {OFFLOADS[d.offload]},
    .codec = {CODECS[d.codec]},
    .quality = {d.jpeg_quality | (0x80 if d.jpeg_chroma == "444" else 0)},
    .features_output = {d.features_output},
    .local_logits_output = {d.local_logits_output},
    .first_channel = {d.first_channel},
    .channels = {d.channels},
    .alpha = {_float(d.alpha)},
    .exit_threshold = {_float(d.exit_threshold)},
}};

const uint8_t FAST_TABLE scheme_symbol_of_byte[256] = {{
{rows}
}};
"""


def _table_by_byte(d: DeviceDescription) -> list[int]:
    """The symbol of each byte as it lies in memory: features are int8 (two's complement), pictures uint8."""
    if d.offload != "features":
        return list(range(256))
    return [d.symbol_table[(byte + 128) % 256] for byte in range(256)]


def _float(value: float) -> str:
    """A C constant with exactly the single-precision value."""
    (single,) = struct.unpack("<f", struct.pack("<f", value))
    return f"{float(single).hex()}f"
