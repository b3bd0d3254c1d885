"""Artefacts and boards of the harness' own tests: nothing is trained, nothing is emulated."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import artefacts
from harness.artefacts import Artefact
from harness.bringup import Board
from harness.contracts.testbed import Network
from harness.stand_in import StandInTestbed

LOCAL = """
scheme = "{scheme}"
dataset = "tiny"
profile = "compact"
classes = 4
input_shape = [4, 4, 3]
graph = true
offload = "none"
features_output = -1
local_logits_output = 0
alpha = 1.0
"""
IMAGE = """
scheme = "{scheme}"
dataset = "tiny"
profile = "compact"
classes = 4
input_shape = [4, 4, 3]
graph = false
offload = "image"
features_output = -1
local_logits_output = -1
codec = "lzw"
alpha = 0.0
"""


@pytest.fixture
def make_artefact(tmp_path: Path) -> Callable[..., Artefact]:
    """Makes an artefact folder with a description and bytes for what it implies."""

    def make(scheme: str, *, offloads: bool, marker: bytes = b"") -> Artefact:
        folder = tmp_path / "weights" / "tiny-compact" / scheme
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "description.toml").write_text((IMAGE if offloads else LOCAL).format(scheme=scheme))
        (folder / ("server.npz" if offloads else "device.tflite")).write_bytes(b"weights" + marker)
        return artefacts.load(folder)

    return make


@pytest.fixture
def local_artefact(make_artefact: Callable[..., Artefact]) -> Artefact:
    return make_artefact("near", offloads=False)


@pytest.fixture
def remote_artefact(make_artefact: Callable[..., Artefact]) -> Artefact:
    return make_artefact("far", offloads=True)


@pytest.fixture
def network() -> Network:
    return Network("127.0.0.1", 1883, "agile/00000000/00", "board-00", mqtt_user="u", mqtt_password="hush")


@pytest.fixture
def make_board(network: Network, tmp_path: Path) -> Callable[..., Board]:
    """Makes a board around a stand-in."""

    def make(artefact: Artefact, **options: bool) -> Board:
        image = tmp_path / "image.elf"
        image.write_bytes(b"elf")
        return Board(StandInTestbed(artefact, **options), artefact, image, network, cancelled=threading.Event())

    return make
