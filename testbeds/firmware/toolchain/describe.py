"""Writes the generated description of a scheme: sizes as `scheme_config.h`, the rest as `scheme_desc.c`."""

from __future__ import annotations

import struct
from pathlib import Path

import tflite

from harness.contracts.codecs import CODEC_IDS
from harness.contracts.context import CONTEXT, ContextTables, symbol_bits
from harness.contracts.description import GRAPH, DeviceDescription, load_context, load_description, weights_u32
from harness.contracts.errors import BenchError

OFFLOADS = {"none": 0, "image": 1, "features": 2}


def write_description(artefact_dir: Path, out_dir: Path) -> DeviceDescription:
    """Write both files for the scheme in `artefact_dir` to `out_dir` and return its description.

    Raises:
        BenchError: the artefact can't be read, or description and graph disagree.
    """
    description = load_description(artefact_dir)
    tables = load_context(artefact_dir, description)
    symbols = count_symbols(description, artefact_dir, tables)
    (out_dir / "scheme_config.h").write_text(_config(description, symbols, tables), encoding="ascii")
    (out_dir / "scheme_desc.c").write_text(_constants(description, weights_u32(artefact_dir), tables), encoding="ascii")
    return description


def encoder_bytes(artefact_dir: Path) -> int:
    """Return the fast memory that the encoder of a scheme takes on the board: workspace and tables of its codec."""
    tables = load_context(artefact_dir, load_description(artefact_dir))
    if tables is None:
        return 24 * 1024  # codec_work_t
    row = tables.width * tables.channels
    return 4 * (row + 1) + row + len(tables.packed_classes()) + 4 * len(tables.packed_shares())


def count_symbols(description: DeviceDescription, artefact_dir: Path, tables: ContextTables | None = None) -> int:
    """Return the number of symbols that one inference sends; 0 for schemes that send none."""
    if description.offload == "none":
        return 0
    if description.offload == "image":
        return description.image_bytes
    shape = features_shape(artefact_dir, description)
    if tables is not None and tables.width != shape[1]:
        raise BenchError(
            f"{artefact_dir / CONTEXT} is for maps {tables.width} wide, the features are {shape[1]}",
            cure=f"make it anew: python -m harness.retable {artefact_dir}",
        )
    return shape[0] * shape[1] * description.channels


def features_shape(artefact_dir: Path, description: DeviceDescription) -> tuple[int, int, int]:
    """Return height, width and channels of the features output, of which the description names a slice of channels.

    Raises:
        BenchError: the graph has no such output.
    """
    shape = _output_shape(artefact_dir / GRAPH, description.features_output)
    if len(shape) != 3 or description.first_channel + description.channels > shape[2]:
        raise BenchError(
            f"{artefact_dir}: channels {description.first_channel}..+{description.channels} are not in the"
            f" features output of shape {shape}",
            cure="train the scheme again",
        )
    return shape[0], shape[1], shape[2]


def _output_shape(path: Path, index: int) -> tuple[int, ...]:
    """Return the shape of a graph output without its batch axis."""
    try:
        graph = tflite.Model.GetRootAs(path.read_bytes()).Subgraphs(0)
        tensor = graph.Tensors(graph.Outputs(index))
        return tuple(int(tensor.Shape(i)) for i in range(1, tensor.ShapeLength()))
    except (OSError, struct.error, IndexError, AttributeError, TypeError, ValueError) as e:
        raise BenchError(f"{path} is no readable TensorFlow Lite model ({e})", cure="train the scheme again") from e


def _config(d: DeviceDescription, symbols: int, tables: ContextTables | None) -> str:
    n_symbols = d.n_symbols if d.offload == "features" else 256
    stored = (symbols * symbol_bits(n_symbols) + 7) // 8
    return f"""#define SCHEME_NAME "{d.label[:48]}"
#define SCHEME_HAS_GRAPH {int(d.graph)}
#define SCHEME_IMAGE_BYTES {d.image_bytes}u
#define SCHEME_IMAGE_ROWS {d.input_shape[0]}u
#define SCHEME_CLASSES {d.classes}u
#define SCHEME_SENDS {int(symbols != 0)}
#define SCHEME_SYMBOLS {symbols}u
#define SCHEME_N_SYMBOLS {n_symbols}u
#define SCHEME_STORED_BYTES {stored}u
#define SCHEME_ENCODER {d.codec}_encode
#define SCHEME_CONTEXT_ROW {tables.width * tables.channels if tables else 0}u
"""


def _constants(d: DeviceDescription, weights: int, tables: ContextTables | None) -> str:
    rows = c_rows(_table_by_byte(d))
    return f"""#include "placement.h"
#include "scheme.h"

{context_tables(tables)}const scheme_t scheme = {{
    .weights = 0x{weights:08x}u,
    .offload = {OFFLOADS[d.offload]},
    .codec = {CODEC_IDS[d.codec]},
    .quality = {d.quality},
    .features_output = {d.features_output},
    .local_logits_output = {d.local_logits_output},
    .first_channel = {d.first_channel},
    .channels = {d.channels},
    .alpha = {_float(d.alpha)},
    .exit_threshold = {_float(d.exit_threshold)},
    .context = {"&context" if tables else "0"},
}};

const uint8_t FAST_TABLE scheme_symbol_of_byte[256] = {{
{rows}
}};
"""


def context_tables(tables: ContextTables | None) -> str:
    """Return the C text of the context codec's tables (core/codec_context.h)."""
    if tables is None:
        return ""
    return f"""static const uint8_t FAST_TABLE class_of[] = {{
{c_rows(tables.packed_classes())}
}};

static const uint32_t FAST_TABLE shares[] = {{
{c_rows(tables.packed_shares())}
}};

static const context_model_t context = {{{tables.width}, {tables.channels}, class_of, shares}};

"""


def c_rows(values: list[int]) -> str:
    """Return the values of a C array, sixteen a line."""
    lines = (values[start : start + 16] for start in range(0, len(values), 16))
    return "\n".join("    " + " ".join(f"{value}," for value in line) for line in lines)


def _table_by_byte(d: DeviceDescription) -> list[int]:
    """Return the symbol of each byte as it lies in memory: features are int8 (two's complement), pictures uint8."""
    if d.offload != "features":
        return list(range(256))
    return [d.symbol_table[(byte + 128) % 256] for byte in range(256)]


def _float(value: float) -> str:
    """Return a C constant with exactly the single-precision value."""
    (single,) = struct.unpack("<f", struct.pack("<f", value))
    return f"{float(single).hex()}f"
