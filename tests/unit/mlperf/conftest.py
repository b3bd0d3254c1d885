"""Devices that speak the dialect: the same tests run on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.mlperf.client import Dut, Limits
from harness.mlperf.faults import Engine, Faults, FaultyLine
from harness.mlperf.lines import LoopPort, StepClock
from harness.mlperf.standin import StandinDut, checksum_network
from testbeds.firmware.eembc.host import CDut
from testbeds.firmware.generator.model import Model, Operator, Tensor
from testbeds.firmware.generator.writer import write_model
from testbeds.firmware.host.schemelib import HostLibrary
from testbeds.firmware.toolchain.build import build
from testbeds.virtual.board import Board

INPUT_SHAPE = (4, 8, 3)
INPUT_BYTES = 96
INFER_US = 12_345
DESCRIPTION = """
scheme = "local_only"
dataset = "tiny"
profile = "compact"
classes = 10
input_shape = [4, 8, 3]
graph = true
offload = "none"
features_output = -1
local_logits_output = 0
alpha = 1.0
"""


def make_standin() -> StandinDut:
    return StandinDut(checksum_network(10), infer_us=INFER_US, input_bytes=INPUT_BYTES, baud=0)


def make_c() -> CDut:
    return CDut(checksum_network(10), infer_us=INFER_US, input_bytes=INPUT_BYTES, results=10)


DEVICES: dict[str, Callable[[], Engine]] = {"stand-in": make_standin, "c": make_c}


@pytest.fixture(params=sorted(DEVICES))
def device(request: pytest.FixtureRequest) -> Engine:
    """Each device whose network is a checksum, in turn, just made."""
    made: Engine = DEVICES[request.param]()
    return made


class Bench:
    """A client and its device behind a line with faults, in virtual time; `said` is the log."""

    def __init__(self, device: Engine, faults: Faults | None = None, limits: Limits | None = None) -> None:
        self.line = FaultyLine(device, faults or Faults())
        self.clock = StepClock()
        self.said: list[tuple[str, str]] = []
        self.dut = Dut(
            LoopPort(self.line, self.clock),
            "the bench",
            limits=limits,
            clock=self.clock,
            listener=lambda who, line: self.said.append((who, line)),
        )

    def commands(self) -> list[str]:
        return [line for who, line in self.said if who == "host"]


@pytest.fixture
def make_bench(device: Engine) -> Callable[..., Bench]:
    """Each device in turn behind a line: make_bench(faults=..., limits=...)."""
    return lambda **settings: Bench(device, **settings)


# --- our firmware, with a network small enough to be written here ---


def tiny_network() -> bytes:
    """A `.tflite` file: 1x1 convolution to ten channels, then their mean over the picture."""

    def tensor(name: str, shape: tuple[int, ...], scale: float, zero: int, data: np.ndarray | None = None) -> Tensor:
        dtype = "int8" if data is None else str(data.dtype)
        scales = np.array([scale] if scale else [], np.float32)
        return Tensor(0, name, shape, dtype, scales, np.array([zero] if scale else [], np.int64), 0, data)

    random = np.random.default_rng(7)
    tensors = [
        tensor("image", (1, *INPUT_SHAPE), 1 / 255, -128),
        tensor("weights", (10, 1, 1, 3), 0.02, 0, random.integers(-127, 128, (10, 1, 1, 3)).astype(np.int8)),
        tensor("bias", (10,), 0.02 / 255, 0, random.integers(-9000, 9000, 10).astype(np.int32)),
        tensor("map", (1, 4, 8, 10), 0.05, 3),
        tensor("axes", (2,), 0.0, 0, np.array([1, 2], np.int32)),
        tensor("logits", (1, 10), 0.04, -5),
    ]
    for index, one in enumerate(tensors):
        one.index = index
    one_by_one = {"Padding": 1, "StrideW": 1, "StrideH": 1, "DilationWFactor": 1, "DilationHFactor": 1}
    convolution = Operator(0, "CONV_2D", [0, 1, 2], [3], one_by_one | {"FusedActivationFunction": "NONE"})
    mean = Operator(1, "MEAN", [3, 4], [5], {"KeepDims": False})
    return write_model(Model(tensors, [convolution, mean], [0], [5]))


@pytest.fixture(scope="session")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained scheme's folder as the firmware is built from."""
    folder = tmp_path_factory.mktemp("artefact")
    (folder / "description.toml").write_text(DESCRIPTION)
    (folder / "device.tflite").write_bytes(tiny_network())
    return folder


class FirmwareHere:
    """The firmware's sources built for this host, both console protocols included."""

    def __init__(self, artefact: Path) -> None:
        self.library = HostLibrary(build(artefact, "host"))

    def boot(self) -> bytes:
        self.library.start_app(lambda data: b"")
        return b""

    def feed(self, data: bytes) -> bytes:
        return self.library.console(data)


class FirmwareOnBoard:
    """The board's image on the emulated board."""

    def __init__(self, artefact: Path) -> None:
        self.board = Board(build(artefact, "stm32f746"), with_console=False)
        self.board.run_until_parked()

    def boot(self) -> bytes:
        self.board.reset()
        self.board.run_until_parked()
        self.board.console_out.clear()
        return b""

    def feed(self, data: bytes) -> bytes:
        if data:
            self.board.deliver(data)
            self.board.run_until_parked()
        said = bytes(self.board.console_out)
        self.board.console_out.clear()
        return said


@pytest.fixture(scope="session")
def firmware_here(artefact: Path) -> FirmwareHere:
    return FirmwareHere(artefact)


@pytest.fixture(scope="session")
def board(artefact: Path) -> Iterator[FirmwareOnBoard]:
    made = FirmwareOnBoard(artefact)
    yield made
    made.board.close()


@pytest.fixture(params=[*sorted(DEVICES), "firmware on this host", "firmware on the board"])
def any_device(request: pytest.FixtureRequest) -> Engine:
    """Each device in turn, just started; the last two run a network of theirs."""
    if request.param in DEVICES:
        made: Engine = DEVICES[request.param]()
        return made
    made = request.getfixturevalue("firmware_here" if request.param.endswith("host") else "board")
    made.boot()
    return made
