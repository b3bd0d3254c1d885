"""`python -m harness.retable FOLDER`: give a trained scheme another codec, with tables learnt from training pictures.

The networks stay as they are; device and edge must both get the folder anew, as its weights hash changes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.artefacts.features import RECIPE, device_symbols, training_pictures, write_description
from harness.contracts import reading
from harness.contracts.codecs import FEATURE_CODECS
from harness.contracts.context import ContextTables
from harness.contracts.description import DESCRIPTION, DeviceDescription, load_description, weights_hash
from harness.contracts.errors import BenchError
from harness.contracts.toml import read_toml
from harness.host.cli import Parser, add_common, add_data_dir, console, set_up_logging, way_in, whole

VALIDATION = 1000  # pictures that the two codecs are compared on


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return way_in(_main, argv)


def _main(argv: list[str]) -> int:
    p = Parser(prog="python -m harness.retable", description=__doc__)
    p.add_argument("folder", type=Path, metavar="FOLDER", help="a trained scheme's folder")
    p.add_argument("--codec", choices=FEATURE_CODECS, default="context", help="(default: %(default)s)")
    p.add_argument(
        "--pictures",
        type=whole(1, 1_000_000, "--pictures"),
        metavar="N",
        help="training pictures to learn from (default: as many as a training takes)",
    )
    add_data_dir(p)
    add_common(p)
    args = p.parse_args(argv)
    set_up_logging(args.verbose)
    retable(args.folder, args.codec, args.pictures)
    return 0


def retable(folder: Path, codec: str, pictures: int | None = None) -> None:
    """Change the codec of the artefact in `folder`, its recipe included, and say what that does to its payloads.

    Raises:
        BenchError: no artefact, one that sends no features, features that the codec does not take, or no data set.
    """
    from baselines.export import context_tables  # noqa: PLC0415 - found late, like every baseline
    from testbeds.firmware.host.hostlib import codec_library  # noqa: PLC0415 - compiles

    if not folder.is_dir():
        raise BenchError(f"no trained weights at {folder}", cure="give the folder of a trained scheme")
    before = read_toml(folder / DESCRIPTION, DeviceDescription)  # its tables may be what is missing
    if before.offload != "features":
        raise BenchError(f"{before.label} sends no features", cure="this is for schemes that do, such as agilenn")
    learn, look = training_pictures(folder, before, pictures or context_tables.PICTURES, VALIDATION)
    symbols, shape = device_symbols(folder, before, np.concatenate([learn, look]))
    tables = None
    if codec == "context":
        tables = context_tables.learn_tables(symbols[: len(learn)], before.n_symbols, shape)
    library = codec_library()
    sizes = [
        np.mean([len(library.encode(one, before.n_symbols, codec, 0, 0, model=model)) for one in symbols[len(learn) :]])
        for codec, model in (("lzw", None), (codec, library.model(tables) if tables else None))
    ]
    _write(folder, before, codec, tables)
    load_description(folder)
    console().print(
        f"{before.label}: codec {before.codec} -> {codec}, weights {weights_hash(folder)[:8]}\n"
        f"payload over {len(look)} validation pictures: lzw {sizes[0]:.1f} B, {codec} {sizes[1]:.1f} B "
        f"({100 * (sizes[1] / sizes[0] - 1):+.1f} %)"
    )


def _write(folder: Path, before: DeviceDescription, codec: str, tables: ContextTables | None) -> None:
    from baselines.export.artefact import write_context, write_text  # noqa: PLC0415
    from harness.contracts import tomlout  # noqa: PLC0415

    after = before.model_copy(update={"codec": codec})
    if tables is not None:
        write_context(folder, tables)  # first: a description never names tables that are not there
    write_description(folder, after)
    if tables is None:
        write_context(folder, None)
    recipe = folder / RECIPE
    try:
        tree = reading.toml_of(recipe, "train again")
    except BenchError:
        return
    if "codec" in tree:
        write_text(recipe, tomlout.dumps(tree | {"codec": codec}))


if __name__ == "__main__":
    sys.exit(main())
