"""`python -m harness.bench codecs`: measure bytes and modelled encode cycles of each codec on what a scheme really
sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.table import Table

from harness.artefacts import images
from harness.artefacts.features import device_symbols, training_pictures
from harness.contracts.context import ContextTables, why_not
from harness.contracts.description import DeviceDescription, load_context, load_description
from harness.contracts.paths import weights_dir
from harness.host.cli import Parser, add_common, add_data_dir, console, set_up_logging, whole

CLOCK_HZ = 216_000_000
NOTE = (
    "bytes: bodies, without the 16 of the header (test pictures; measured, the C code's own). Cycles: modelled, "
    "Cortex-M7 cycle model, +-15 % on such code; the device's encode stage, header and CRC included. Worst case: "
    "random symbols against stored, fall-back included."
)

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Figures:
    """Holds the figures of one codec on one scheme's symbols. Bytes are of bodies."""

    codec: str
    bytes_mean: float
    bytes_p95: float
    cycles_mean: float
    worst_bytes: int
    worst_cycles: int
    stored_bytes: int

    @property
    def encode_ms(self) -> float:
        """Return the encode time at 216 MHz, ms."""
        return self.cycles_mean / CLOCK_HZ * 1e3


@dataclass(frozen=True)
class Report:
    """Holds all codecs that take a scheme's symbols, and what no code of that kind can beat, in bytes a picture."""

    label: str
    shape: tuple[int, int, int]
    n_symbols: int
    images: int
    cycle_images: int
    tables: str
    figures: tuple[Figures, ...]
    entropies: dict[str, float]


def main(argv: list[str]) -> int:
    """Run the command."""
    p = Parser(prog="python -m harness.bench codecs", description=__doc__)
    p.add_argument(
        "--weights", type=Path, metavar="DIR", help="a trained scheme's folder (default: agilenn, CIFAR-10, compact)"
    )
    p.add_argument(
        "--images", type=whole(1, 1_000_000, "--images"), default=1000, help="test pictures for bytes (%(default)s)"
    )
    p.add_argument(
        "--cycle-images", type=whole(1, 10_000, "--cycle-images"), default=20, help="of them for cycles (%(default)s)"
    )
    p.add_argument("--cc", default="zig", help="C compiler (default: the pinned zig wheel)")
    add_data_dir(p)
    add_common(p)
    args = p.parse_args(argv)
    set_up_logging(args.verbose)
    folder = args.weights or weights_dir() / "cifar10-compact" / "agilenn"
    show(measure(folder, args.images, args.cycle_images, cc=args.cc))
    return 0


def measure(folder: Path, count: int, cycle_count: int, *, cc: str = "zig") -> Report:
    """Measure every codec on the scheme in `folder`.

    Raises:
        BenchError: no such artefact, one that sends nothing, or no data set.
    """
    from testbeds.firmware.host.hostlib import codec_library  # noqa: PLC0415
    from testbeds.virtual.codec_cycles import CodecProbe  # noqa: PLC0415 - compiles and emulates

    d = load_description(folder)
    data = images.load(d.dataset).fitting(d)
    symbols, shape = device_symbols(folder, d, data.pictures[:count])
    picture, n = d.offload == "image", d.n_symbols if d.offload == "features" else 256
    tables, told = _tables(folder, d, shape)
    library = codec_library(cc=cc)
    model = library.model(tables) if tables else None
    stride = shape[2] if picture else _stride(folder, d)
    quality = d.jpeg_quality | (128 if d.jpeg_chroma == "444" else 0)
    random = np.random.default_rng(0).integers(0, n, (1, symbols.shape[1]), dtype=np.uint8)
    figures = []
    with CodecProbe(shape, stride, n, tables=tables, quality=quality, picture=picture, cc=cc) as probe:
        for codec in _codecs(picture, tables):
            rows = shape[0] if picture else 1
            sizes = [
                len(library.encode(one, n, codec, 0, 0, rows=rows, quality=quality, model=model)) - 16
                for one in symbols
            ]
            runs = [probe.encode(codec, one) for one in symbols[:cycle_count]]
            if [run.body_bytes for run in runs] != sizes[: len(runs)]:
                raise AssertionError(f"{codec}: the board's code and the host's write other bytes")
            worst = probe.encode(codec, random[0])
            figures.append(
                Figures(
                    codec,
                    float(np.mean(sizes)),
                    float(np.percentile(sizes, 95)),
                    float(np.mean([run.counts.cycles_with_fills for run in runs])),
                    worst.body_bytes,
                    worst.counts.cycles_with_fills,
                    (symbols.shape[1] * max(1, (n - 1).bit_length()) + 7) // 8,
                )
            )
    return Report(
        d.label,
        shape,
        n,
        len(symbols),
        min(cycle_count, len(symbols)),
        told,
        tuple(figures),
        entropies(symbols, n, shape),
    )


def entropies(symbols: Bytes, n_symbols: int, shape: tuple[int, int, int]) -> dict[str, float]:
    """Return the bytes a picture that an ideal code of each kind takes, its statistics taken from these very symbols.

    `order 0`: every symbol by its share of all; `order 1`: by the symbol sent before it; the others by what they name,
    of the same channel.
    """
    maps = symbols.reshape(-1, *shape).astype(np.int64)
    before = np.zeros_like(symbols, np.int64)
    before[:, 1:] = symbols[:, :-1]
    above, left = np.zeros_like(maps), np.zeros_like(maps)
    above[:, 1:] = maps[:, :-1]
    left[:, :, 1:] = maps[:, :, :-1]
    channel = np.broadcast_to(np.arange(shape[2]), maps.shape)
    n = n_symbols
    found = {
        "order 0": _entropy(np.zeros_like(maps), maps, n),
        "order 1": _entropy(before.reshape(maps.shape), maps, n),
    }
    if n <= 16:  # with more symbols there are more contexts than symbols to count
        found["channel"] = _entropy(channel, maps, n)
        found["channel, left"] = _entropy(channel * n + left, maps, n)
        found["channel, left, above"] = _entropy((channel * n + left) * n + above, maps, n)
    return found


def _entropy(context: npt.NDArray[np.int64], maps: npt.NDArray[np.int64], n: int) -> float:
    counts = np.bincount((context * n + maps).ravel(), minlength=n).astype(np.float64)
    counts = np.pad(counts, (0, -len(counts) % n)).reshape(-1, n)
    totals = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
    there = counts > 0
    return float(-(counts[there] * np.log2(counts[there] / totals[there])).sum() / len(maps) / 8)


def _tables(folder: Path, d: DeviceDescription, shape: tuple[int, int, int]) -> tuple[ContextTables | None, str]:
    if tables := load_context(folder, d):
        return tables, "context: the artefact's tables"
    if d.offload != "features":
        return None, f"jpeg is lossy: quality {d.jpeg_quality}, chroma {d.jpeg_chroma}; context is for features only"
    if why := why_not(d.n_symbols, shape[1], d.channels):
        return None, f"context left out: {why}"
    from baselines.export.context_tables import PICTURES, learn_tables  # noqa: PLC0415 - found late, like every baseline

    pictures, _ = training_pictures(folder, d, PICTURES, 0)
    symbols, _ = device_symbols(folder, d, pictures)
    told = f"context: tables learnt now from {len(pictures)} training pictures (these weights have codec {d.codec})"
    return learn_tables(symbols, d.n_symbols, shape), told


def _codecs(picture: bool, tables: ContextTables | None) -> list[str]:
    if picture:
        return ["stored", "lzw", "shuffle", "png", "rice", "jpeg"]
    return ["stored", "lzw", "shuffle", *(["context"] if tables else [])]


def _stride(folder: Path, d: DeviceDescription) -> int:
    from testbeds.firmware.toolchain.describe import features_shape  # noqa: PLC0415

    return features_shape(folder, d)[2]


def show(report: Report) -> None:
    """Print the table, and the entropies below it."""
    height, width, channels = report.shape
    count = height * width * channels
    table = Table(
        title=f"{report.label}: {height}x{width}x{channels} = {count:,} symbols of {report.n_symbols}; "
        f"{report.images} test pictures, cycles of {report.cycle_images}",
        caption=NOTE,
    )
    names = (
        "codec",
        "bytes",
        "p95",
        "against lzw",
        "cycles",
        "a symbol",
        "ms",
        "against lzw",
        "worst B",
        "over stored",
        "worst ms",
    )
    for number, name in enumerate(names):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    lzw = next(f for f in report.figures if f.codec == "lzw")
    for f in report.figures:
        table.add_row(
            f.codec,
            f"{f.bytes_mean:,.1f}",
            f"{f.bytes_p95:,.0f}",
            f"{100 * (f.bytes_mean / lzw.bytes_mean - 1):+.1f} %",
            f"{f.cycles_mean:,.0f}",
            f"{f.cycles_mean / count:.1f}",
            f"{f.encode_ms:.3f}",
            f"{100 * (f.cycles_mean / lzw.cycles_mean - 1):+.1f} %",
            f"{f.worst_bytes:,}",
            f"{100 * (f.worst_bytes / f.stored_bytes - 1):+.1f} %",
            f"{f.worst_cycles / CLOCK_HZ * 1e3:.3f}",
        )
    out = console()
    out.print(table)
    listed = ", ".join(f"{name} {value:,.1f}" for name, value in report.entropies.items())
    out.print(f"entropies in bytes a picture, statistics of these symbols themselves: {listed}")
    out.print(report.tables)
