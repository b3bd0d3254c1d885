"""`python -m harness.bench pictures`: measure what each way to send a whole picture costs, and the accuracy that it
leaves.

Bytes and pictures that arrive are the C encoder's own, JPEG decoded as the edge does; the network is the artefact's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from harness.artefacts import images
from harness.artefacts.features import VALIDATION
from harness.contracts.description import DeviceDescription, load_description
from harness.contracts.errors import BenchError
from harness.contracts.paths import weights_dir
from harness.host import cli, registry
from harness.host.cli import Parser, add_common, add_data_dir, console, set_up_logging, whole

CLOCK_HZ = 216_000_000
LOSSLESS = ("stored", "lzw", "png", "rice")
NOTE = (
    "bytes: messages with their 16 of header, stored where a codec is no smaller. ms: modelled encode stage at 216 "
    "MHz, +-15 %. jpeg: body in the abbreviated format; the JFIF file of it has 622 bytes more. PSNR over all pixels."
)

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """Holds one codec at one quality."""

    codec: str
    bytes_mean: float
    bytes_p95: float
    encode_ms: float
    accuracy: float | None
    psnr_db: float | None  # None: lossless


def main(argv: list[str]) -> int:
    """Run the command."""
    p = Parser(prog="python -m harness.bench pictures", description=__doc__.splitlines()[0] if __doc__ else None)
    p.add_argument(
        "--weights", type=Path, metavar="DIR", help="of full offloading (default: full_offload, CIFAR-10, compact)"
    )
    p.add_argument("--qualities", type=_qualities, default="50,75,90", metavar="A,B,…", help="default: %(default)s")
    p.add_argument("--images", type=whole(1, 1_000_000, "--images"), default=10_000, help="default: all that are there")
    p.add_argument(
        "--cycle-images", type=whole(1, 10_000, "--cycle-images"), default=20, help="of them for cycles (%(default)s)"
    )
    p.add_argument("--validation", action="store_true", help="pictures that training held out, not the test set")
    p.add_argument("--no-accuracy", action="store_true", help="bytes and cycles alone")
    add_data_dir(p)
    add_common(p)
    args = p.parse_args(argv)
    set_up_logging(args.verbose)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    folder = args.weights or weights_dir() / "cifar10-compact" / "full_offload"
    d = load_description(folder)
    if d.offload != "image":
        raise BenchError(f"{d.label} does not send pictures", cure="choose a folder of full offloading")
    pictures, labels = _pictures(d, args.images, validation=args.validation)
    network = None if args.no_accuracy else registry.scheme(d.scheme).server(folder)
    rows = measure(d, pictures, labels, network, args.qualities, args.cycle_images)
    _show(d, rows, len(pictures), min(args.cycle_images, len(pictures)), validation=args.validation)
    return 0


def measure(
    d: DeviceDescription, pictures: Bytes, labels: Bytes, network: Any, qualities: list[int], cycle_images: int
) -> list[Row]:
    """Return a row for each lossless codec, then for each quality and both samplings of chroma.

    Args:
        pictures: uint8 [n, height, width, 3] as the device gets them.
        network: the server half, or None to leave accuracy out.
    """
    from testbeds.firmware.host.hostlib import PAYLOAD_HEAD, codec_library  # noqa: PLC0415
    from testbeds.virtual.codec_cycles import CodecProbe  # noqa: PLC0415 - compiles and emulates

    library = codec_library()
    flat = pictures.reshape(len(pictures), -1)
    lossless = None if network is None else _accuracy(network, flat, labels)
    rows = []
    ways = [(codec, 75) for codec in LOSSLESS] + [("jpeg", q | c) for c in (0, 128) for q in qualities]
    with CodecProbe(d.input_shape, 3, 256, picture=True) as probe:
        for codec, quality in ways:
            sent = [library.encode(one, 256, codec, 0, 0, rows=len(one), quality=quality) for one in pictures]
            accuracy, psnr_db = lossless, None
            if codec == "jpeg":
                arrived = np.stack([library.decode(data, 256, flat.shape[1]) for data in sent])
                accuracy = None if network is None else _accuracy(network, arrived, labels)
                error = float(np.mean([_squared(a, b) for a, b in zip(arrived, flat, strict=True)]))
                psnr_db = 10 * float(np.log10(255**2 / error)) if error else None
            runs = [probe.encode(codec, one, quality) for one in flat[:cycle_images]]
            sizes = [len(data) for data in sent]
            if [run.body_bytes + PAYLOAD_HEAD for run in runs] != sizes[: len(runs)]:
                raise AssertionError(f"{codec}: the board's code and the host's write other bytes")
            cycles = float(np.mean([run.counts.cycles_with_fills for run in runs]))
            name = codec if codec != "jpeg" else f"jpeg {quality & 127} {'4:4:4' if quality & 128 else '4:2:0'}"
            rows.append(
                Row(
                    name,
                    float(np.mean(sizes)),
                    float(np.percentile(sizes, 95)),
                    cycles / CLOCK_HZ * 1e3,
                    accuracy,
                    psnr_db,
                )
            )
    return rows


def _squared(a: Bytes, b: Bytes) -> float:
    return float(np.mean((a.astype(np.float32) - b) ** 2))


def _accuracy(network: Any, symbols: Bytes, labels: Bytes) -> float:
    return float(np.mean(np.argmax(network.infer_batch(symbols), axis=1) == labels))


def _pictures(d: DeviceDescription, count: int, *, validation: bool) -> tuple[Bytes, Bytes]:
    if not validation:
        data = images.load(d.dataset).fitting(d)
        return data.pictures[:count], data.labels[:count]
    from baselines.data import load_dataset, train_validation_split  # noqa: PLC0415 - found late, like every baseline

    whole_set = load_dataset(d.dataset)
    _, _, x, y = train_validation_split(whole_set.x_train, whole_set.y_train, validation=VALIDATION)
    return images.Images(d.dataset, x, y, d.classes, "").fitting(d).pictures[:count], y[:count]


def _show(d: DeviceDescription, rows: list[Row], count: int, cycle_count: int, *, validation: bool) -> None:
    height, width, depth = d.input_shape
    split = "validation" if validation else "test"
    table = Table(
        title=f"{d.label}: pictures of {height}x{width}x{depth} = {height * width * depth:,} B; {count:,} of {split}, "
        f"cycles of {cycle_count}",
        caption=NOTE,
    )
    for number, name in enumerate(("codec", "bytes", "p95", "of raw", "encode ms", "accuracy", "PSNR dB")):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(
            row.codec,
            f"{row.bytes_mean:,.0f}",
            f"{row.bytes_p95:,.0f}",
            f"{100 * row.bytes_mean / rows[0].bytes_mean:.0f} %",
            f"{row.encode_ms:.3f}",
            "" if row.accuracy is None else f"{100 * row.accuracy:.2f} %",
            "" if row.psnr_db is None else f"{row.psnr_db:.1f}",
        )
    console().print(table)


def _qualities(text: str) -> list[int]:
    return [cli.whole(1, 100, "--qualities")(part) for part in cli.names(text)]
