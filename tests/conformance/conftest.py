"""One suite over every testbed: `pytest --testbed X tests/conformance` for one of them, boards included; without
`--testbed` over those that need none (the emulated STM32F746, the native process, the ESP32's stand-in)."""

from __future__ import annotations

import importlib.util
import itertools
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from harness.artefacts import artefacts
from harness.artefacts.artefacts import Artefact
from harness.contracts.attachment import Attachment
from harness.contracts.errors import BenchError
from harness.device.bringup import Board, BoardSettings, State
from harness.device.device import Device
from harness.lab import lab, labfile
from harness.lab.lab import Lab
from harness.lab.labfile import LabSetup
from testbeds.firmware.generator.compose import Composer
from testbeds.firmware.generator.writer import write_model
from testbeds.firmware.host.schemelib import HostLibrary
from testbeds.firmware.toolchain.build import build

from .scripted_edge import ScriptedEdge

# The ESP32's port also on code that reports every undefined operation and, where gcc is there, every stray access.
SANITIZED = "esp32-sanitized"
WITHOUT_A_BOARD = ("virtual", "native", "esp32", SANITIZED)
REMOTE_MS = 2.0  # pinned, where the testbed pins
PASSWORD = 'con,form"ance\\'  # of the Wi-Fi: with everything that wants escaping
ALPHA = 0.25
_DESCRIPTION = f"""\
scheme = "conformance"
dataset = "toy"
profile = "tiny"
classes = 3
input_shape = [12, 12, 3]
graph = true
offload = "features"
features_output = 0
local_logits_output = 1
first_channel = 1
channels = 5
n_symbols = 16
symbol_table = {[v // 16 for v in range(256)]}
centroids = {[float(v) for v in range(16)]}
codec = "lzw"
alpha = {ALPHA}
exit_threshold = 2.0
"""


@dataclass
class Subject:
    """A ready board with everything around it."""

    name: str
    board: Board
    edge: ScriptedEdge
    lab: Lab
    artefact: Artefact
    host: HostLibrary
    order: Iterator[int]

    @property
    def device(self) -> Device:
        return self.board.device

    def ready(self) -> None:
        """Whatever the test before did: ready, with the settings of bring-up."""
        self.edge.behave()
        if self.board.state < State.READY:
            self.board.to(State.READY)

    def picture(self, seed: int = 0) -> npt.NDArray[np.uint8]:
        return np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)

    def begin(self, seed: int = 0) -> npt.NDArray[np.uint8]:
        """A fresh sample with its picture loaded."""
        self.board.before_sample(0, REMOTE_MS)
        picture = self.picture(seed)
        self.device.load(picture.tobytes())
        return picture


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "bed" in metafunc.fixturenames:
        given = metafunc.config.getoption("--testbed")
        beds = ("esp32",) if metafunc.module.__name__.endswith("test_faults") else WITHOUT_A_BOARD
        metafunc.parametrize("bed", [given] if given else beds, scope="session", indirect=True)


@pytest.fixture(scope="session")
def bed(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    """A small scheme with everything in it: a graph, features and local logits, a slice, lzw, alpha."""
    folder = tmp_path_factory.mktemp("conformance")
    composer = Composer((12, 12, 3), seed=5)
    features = composer.conv(composer.model.inputs[0], 8, 3, 2)
    pooled = composer.reshape(composer.average_pool(features, 6), (1, 8))
    (folder / "device.tflite").write_bytes(write_model(composer.finish(features, composer.dense(pooled, 3))))
    (folder / "description.toml").write_text(_DESCRIPTION)
    (folder / "server.npz").write_bytes(b"scripted")
    return artefacts.load(folder)


@pytest.fixture(scope="session")
def subject(bed: str, artefact: Artefact, request: pytest.FixtureRequest) -> Iterator[Subject]:
    given = bool(request.config.getoption("--testbed"))
    if not given and bed.startswith("esp32") and importlib.util.find_spec("esptool") is None:
        pytest.skip("the ESP32's stand-in is flashed by esptool: pip install 'esptool>=5,<6'")
    try:
        yield from _subject(bed, artefact, labfile.load() if given else None)
    except BenchError as e:
        if given:
            pytest.exit(f"testbed {bed}: {e}", returncode=4)
        raise


def _compiler(bed: str) -> tuple[str, tuple[str, ...]]:
    """Compiler and flags of a bed's image: the pinned one knows undefined behaviour, gcc stray accesses too."""
    if bed != SANITIZED:
        return "zig", ()
    gcc = shutil.which("gcc")
    found = (
        subprocess.run([gcc, "-print-file-name=libasan.so"], capture_output=True, text=True, check=False)
        if gcc
        else None
    )
    if found is not None and "/" in found.stdout:  # a bare name: it is not there
        return "gcc", ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    return "zig", ("-fsanitize=undefined", "-fno-sanitize-recover=all")


def _subject(bed: str, artefact: Artefact, given: LabSetup | None) -> Iterator[Subject]:
    """`given`: the lab of a testbed that was asked for; without one, nothing that is attached here is meant."""
    setup = labfile.EMPTY if given is None else given
    cc, flags = _compiler(bed)
    with setup.factory("esp32" if bed == SANITIZED else bed)() as testbed, lab.opened([], setup) as up:
        if given is None and testbed.name == "esp32":
            testbed.attach(Attachment(port="standin"))
        testbed.check()
        network = up.network(0, testbed)
        if testbed.reaches_loopback:
            network = replace(network, wifi_password=PASSWORD)
        edge = ScriptedEdge(up.broker.entered_by("edge"), network)
        image = build(artefact.folder, testbed.description.target, cc=cc, flags=flags, link_flags=flags)
        board = Board(testbed, artefact, image, network, BoardSettings())
        try:
            board.to(State.READY)
            yield Subject(
                bed, board, edge, up, artefact, HostLibrary(build(artefact.folder, "host")), itertools.count()
            )
        finally:
            board.close()
            edge.close()


@pytest.fixture
def on(subject: Subject) -> Subject:
    subject.ready()
    return subject
