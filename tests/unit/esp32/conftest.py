"""A stand-in board in this process, and an image for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbeds.esp32.standin.chip import Chip
from testbeds.esp32.standin.ends import PtyEnd

needs_esptool = pytest.mark.skipif(
    importlib.util.find_spec("esptool") is None, reason="esptool is not installed: pip install 'esptool>=5,<6'"
)


@pytest.fixture
def chip() -> Iterator[Chip]:
    board = Chip()
    yield board
    board.close()


@pytest.fixture
def pty(chip: Chip, tmp_path: Path) -> Iterator[PtyEnd]:
    end = PtyEnd(chip, tmp_path / "ttyESP32")
    yield end
    end.close()
