"""Computes what a scheme's device makes of pictures, before any coding, and picks the pictures that codecs may learn
from.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.artefacts.images import Images
from harness.contracts import reading, scratch
from harness.contracts.description import DESCRIPTION, GRAPH, SERVER, DeviceDescription
from harness.contracts.errors import BenchError

RECIPE = "recipe.toml"
VALIDATION = 5000  # what trainings hold out by default

Bytes = npt.NDArray[np.uint8]


def device_symbols(folder: Path, d: DeviceDescription, pictures: Bytes) -> tuple[Bytes, tuple[int, int, int]]:
    """Return the uint8 [n, symbols] that the C code of the artefact sends for uint8 pictures that fit it, and the map's
    shape.

    Whatever the artefact's codec is, and whether its tables are there: they play no part in this.

    Raises:
        BenchError: it sends nothing, or can't be read or compiled.
    """
    if d.offload == "none":
        raise BenchError(f"{d.label} sends nothing", cure="choose a scheme that offloads")
    if d.offload == "image":
        return pictures.reshape(len(pictures), -1), d.input_shape
    from testbeds.firmware.host.schemelib import HostLibrary  # noqa: PLC0415
    from testbeds.firmware.toolchain.build import build  # noqa: PLC0415 - compiles
    from testbeds.firmware.toolchain.describe import features_shape  # noqa: PLC0415

    with scratch.folder("features") as work:
        plain = Path(work)
        write_description(plain, d.model_copy(update={"codec": "stored"}))
        for name in (GRAPH, SERVER):
            try:
                shutil.copyfile(folder / name, plain / name)
            except OSError as e:
                raise BenchError(f"{folder / name} can't be read ({e.strerror})", cure="train or restore it") from e
        symbols = HostLibrary(build(plain, "host")).run_many(pictures, threshold=2.0).symbols
        height, width, _ = features_shape(plain, d)
    return symbols, (height, width, d.channels)


def training_pictures(folder: Path, d: DeviceDescription, learn: int, look: int) -> tuple[Bytes, Bytes]:
    """Return the first `learn` training pictures and the first `look` of those that training held out, as the network
    takes them. Test pictures are never among them.

    Raises:
        BenchError: no such data set, or pictures of another size or other classes.
    """
    from baselines.data import load_dataset, train_validation_split  # noqa: PLC0415 - found late, like every baseline

    data = load_dataset(d.dataset)
    x, y, x_held, y_held = train_validation_split(data.x_train, data.y_train, validation=_held_out(folder))

    def fitting(pictures: Bytes, labels: Bytes) -> Bytes:
        return Images(data.name, pictures, labels, data.classes, "").fitting(d).pictures

    return fitting(x[:learn], y[:learn]), fitting(x_held[:look], y_held[:look])


def write_description(folder: Path, description: DeviceDescription) -> None:
    """Write `description.toml`."""
    from baselines.export.artefact import write_text  # noqa: PLC0415
    from harness.contracts import tomlout  # noqa: PLC0415

    write_text(folder / DESCRIPTION, tomlout.dumps(description.model_dump(mode="json")))


def _held_out(folder: Path) -> int:
    try:
        recipe = reading.toml_of(folder / RECIPE, "train again")
    except BenchError:
        return VALIDATION
    held = recipe.get("validation")
    return held if isinstance(held, int) and held > 0 else VALIDATION
