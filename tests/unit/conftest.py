"""Artefacts and boards of the harness' own tests: nothing is trained, nothing is emulated."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.artefacts.images import Images
from harness.contracts.testbed import Network
from harness.device.bringup import Board
from harness.device.stand_in import StandInTestbed
from harness.edge.services import Services
from harness.lab.lab import Lab
from harness.sweep.runner import Bench

from ..support.benches import StubBroker

# A machine that is busy with something else must not fail a test: no example has a deadline on the wall clock.
settings.register_profile("no wall clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no wall clock")

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


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give tests locks of their own and no lab: the boards of whoever runs them are none of their business."""
    monkeypatch.setenv("AGILENN_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.delenv("AGILENN_LAB", raising=False)
    monkeypatch.delenv("AGILENN_BOARD", raising=False)


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


@pytest.fixture
def data() -> Images:
    """Twelve pictures of noise."""
    pictures = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 3), dtype=np.uint8)
    return Images("tiny", pictures, np.arange(12, dtype=np.uint8) % 4, 4, "0" * 64)


@pytest.fixture
def make_bench(
    make_artefact: Callable[..., Artefact], data: Images, tmp_path: Path
) -> Callable[..., tuple[Bench, list[StandInTestbed]]]:
    """Makes a bench of stand-ins, and the list of those that were made; `prepare` spoils each as it is flashed."""

    def make_it(prepare: Callable[[StandInTestbed], None] = lambda _: None) -> tuple[Bench, list[StandInTestbed]]:
        artefacts = {"near": make_artefact("near", offloads=False), "far": make_artefact("far", offloads=True)}
        services = Services()
        made: list[StandInTestbed] = []
        # Boards is handed a factory that makes a stand-in for whichever image is flashed.
        order = {artefacts[name].folder.name: artefacts[name] for name in artefacts}

        class Any_(StandInTestbed):
            def __init__(self) -> None:
                super().__init__(order["near"])
                made.append(self)

            def flash(self, image: Path) -> None:
                super().flash(image)
                self.device.artefact = order[image.stem]
                self.device.inferred = lambda prefix, sequence: services.hear(
                    f"{prefix}/service", b'{"seq": %d, "service_us": 12, "status": 0}' % sequence
                )
                prepare(self)

        firmware = {name: tmp_path / f"{name}.elf" for name in artefacts}
        lab = Lab(StubBroker(), None, services, "agile/00000000")  # type: ignore[arg-type]
        return Bench(lab, Any_, artefacts, firmware, data), made

    return make_it
