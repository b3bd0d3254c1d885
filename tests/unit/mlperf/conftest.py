"""Devices that speak the dialect: the same tests run on each of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.eembc.client import Dut, Limits
from harness.eembc.faults import Engine, Faults, FaultyLine
from harness.eembc.lines import LoopPort, StepClock
from harness.eembc.standin import StandinDut, checksum_network
from testbeds.firmware.eembc.host import CDut

INPUT_BYTES = 96
INFER_US = 12_345


def make_standin() -> StandinDut:
    return StandinDut(checksum_network(10), infer_us=INFER_US, input_bytes=INPUT_BYTES, baud=0)


def make_c() -> CDut:
    return CDut(checksum_network(10), infer_us=INFER_US, input_bytes=INPUT_BYTES, results=10)


DEVICES: dict[str, Callable[[], Engine]] = {"stand-in": make_standin, "c": make_c}


@pytest.fixture(params=sorted(DEVICES))
def device(request: pytest.FixtureRequest) -> Engine:
    """Each device in turn, just made."""
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
