"""The rivals at the published 96x96: shapes, and the device half fits the board (flash and RAM of a real image)."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

from baselines.data import DataSet
from baselines.schemes.deepcod import DeepCOD
from baselines.training.interface import Silent
from harness.contracts.description import load_description
from harness.contracts.errors import BenchError
from harness.host import registry
from harness.training.options import TrainOptions
from testbeds.firmware.toolchain.build import build, read_record
from testbeds.firmware.toolchain.footprint import footprint

pytestmark = pytest.mark.slow

FLASH, RAM = (0x0800_0000, 1 << 20), (0x2000_0000, 320 << 10)
SLIM = "[4, 4, 8, 8, 8, 8, 8, 16]"
SLICE = {
    "batch": "16",
    "validation": "16",
    "max_train": "32",
    "reference.epochs": "0",
    "reference.batch": "16",
    "reference.validation": "16",
    "reference.max_train": "32",
}
SMALL = {
    "partition": {"splits": "[5]", "reference.widths": SLIM},
    "deepcod": {"decoder": "[4, 4]", "reference.widths": "[8, 8]"},
    "hierarchical": {"reference.widths": SLIM},
}


@pytest.mark.parametrize(
    ("scheme", "sent", "macs", "flash_kb", "ram_kb"),
    [
        ("partition", (40, "shuffle"), (15e6, 19e6), 512, 312),
        ("deepcod", (18, "lzw"), (2.5e6, 2.7e6), 128, 312),
        ("hierarchical", (3, "jpeg"), (5e6, 9e6), 256, 312),
    ],
)
def test_the_device_half_fits_the_board(
    scheme: str,
    sent: tuple[int, str],
    macs: tuple[float, float],
    flash_kb: int,
    ram_kb: int,
    tmp_path: Path,
    tiny: DataSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"baselines.schemes.{scheme}.training.CALIBRATION_PICTURES", 16)
    options = TrainOptions("cifar10", "paper", epochs=0, out=tmp_path / "out", overrides=SLICE | SMALL[scheme])
    folder = registry.scheme(scheme).train(options, Silent())
    d = load_description(folder)
    assert (d.input_shape, d.scale_pictures, d.channels, d.codec) == ((96, 96, 3), True, *sent)
    image = build(folder, "stm32f746")
    found = footprint(image, flash=FLASH, ram=RAM)
    assert found.flash_bytes < flash_kb << 10
    assert found.ram_bytes < ram_kb << 10
    assert macs[0] < sum(layer["macs"] for layer in read_record(image)["graph"]["layers"]) < macs[1]


def test_the_enlarged_encoder_is_not_trained() -> None:
    with pytest.raises(BenchError, match="size and cycles only: --epochs 0"):
        DeepCOD().train(TrainOptions("cifar10", "paper", epochs=1), Silent())
