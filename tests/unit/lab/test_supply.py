"""A board that a reset does not bring back gets its supply switched off and on: by programs, or by the probe."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError, TestbedAbsent
from harness.contracts.testbed import Network
from harness.device import bringup
from harness.device.bringup import Board, State
from harness.device.device import Patience
from harness.device.stand_in import StandInTestbed
from harness.lab import labfile, supply
from harness.lab.supply import Supply, SupplySection
from harness.power import sampling
from harness.power.ppk2 import DUT_POWER, Ppk2Options
from harness.power.probes import ProbeConfig, open_probe
from harness.power.standins.ppk2 import StandinPpk2

_TOUCH = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + ' ')"


@pytest.fixture(autouse=True)
def _soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGILENN_CACHE_DIR", str(tmp_path / "cache"))
    short = Patience(timeout_s=0.2, attempts=1, hello_s=0.02, hello_attempts=2)
    monkeypatch.setattr(bringup, "BOARD", short)


class Switched(StandInTestbed):
    """A board behind an outlet: a file that programs write `off` and `on` into."""

    def __init__(self, artefact: Artefact, outlet: Path) -> None:
        super().__init__(artefact, pins=False)
        self._outlet = outlet
        self._seen = 0

    def check(self) -> None:
        words = self._outlet.read_text().split() if self._outlet.exists() else []
        for word in words[self._seen :]:
            self.switch_supply(word == "on")
        self._seen = len(words)
        super().check()


@pytest.fixture
def outlet(tmp_path: Path) -> Path:
    return tmp_path / "outlet"


@pytest.fixture
def by_programs(outlet: Path) -> SupplySection:
    def words(word: str) -> tuple[str, ...]:
        return (sys.executable, "-c", _TOUCH, str(outlet), word)

    return SupplySection(off=words("off"), on=words("on"), off_s=0.01, back_s=5)


@pytest.fixture
def make(local_artefact: Artefact, network: Network, tmp_path: Path, outlet: Path) -> Callable[..., Any]:
    def made(section: SupplySection | None) -> tuple[Board, Switched]:
        testbed = Switched(local_artefact, outlet)
        own = None if section is None else Supply(section, testbed)
        return Board(testbed, local_artefact, tmp_path / "i.elf", network, revive=own.cycle if own else None), testbed

    return made


def test_a_board_that_hangs_is_lost_without_a_switch(make: Callable[..., Any]) -> None:
    board, testbed = make(None)
    testbed.hangs = True
    with pytest.raises(BenchError, match="did not answer"):
        board.for_sample()


def test_a_board_that_hangs_at_the_start_is_brought_back(make: Callable[..., Any], by_programs: Any) -> None:
    board, testbed = make(by_programs)
    testbed.hangs = True
    board.for_sample()
    assert board.state is State.READY
    assert [s for s in testbed.steps if s.startswith("supply")] == ["supply off", "supply on"]
    assert testbed.steps.count("flash i.elf") == 1  # what is in flash stays there


def test_a_board_that_hangs_in_the_middle_is_brought_back_each_time(make: Callable[..., Any], by_programs: Any) -> None:
    board, testbed = make(by_programs)
    board.for_sample()
    for times in (1, 2):
        testbed.hangs = True
        board.state = State.FLASHED  # as the runner leaves it after a failed sample
        board.for_sample()
        assert testbed.steps.count("supply on") == times
    assert "reset" in testbed.steps[: testbed.steps.index("supply off")]  # a reset is tried first


def test_the_switch_is_tried_once_and_what_fails_is_told(make: Callable[..., Any], outlet: Path) -> None:
    board, testbed = make(SupplySection(cycle=("false",)))
    testbed.hangs = True
    with pytest.raises(BenchError, match=r"switching the board's supply failed: false ended with 1"):
        board.for_sample()
    only_off = (sys.executable, "-c", _TOUCH, str(outlet), "off")
    board, testbed = make(SupplySection(cycle=only_off, back_s=0.1))
    testbed.hangs = True
    with pytest.raises(BenchError, match=r"not there 0\.1 s after its supply was switched on"):
        board.for_sample()
    assert outlet.read_text() == "off "


def test_a_board_of_somebody_else_keeps_its_supply(make: Callable[..., Any], by_programs: Any, outlet: Path) -> None:
    from harness.host import locks  # noqa: PLC0415

    board, testbed = make(by_programs)
    type(testbed).identity = property(lambda self: "the only one")  # type: ignore[assignment]
    try:
        with locks.held("the only one"), pytest.raises(locks.BoardBusy):
            board.for_sample()
    finally:
        del type(testbed).identity
    assert not outlet.exists()


def test_a_run_that_is_stopped_leaves_the_board_with_its_supply(
    make: Callable[..., Any], by_programs: Any, outlet: Path
) -> None:
    _, testbed = make(None)
    stopped = threading.Event()
    stopped.set()
    Supply(by_programs.model_copy(update={"off_s": 60.0}), testbed).cycle(cancelled=stopped)
    assert outlet.read_text() == "off on "


class Feeds(StandinPpk2):
    """A PPK2 that feeds a stand-in board."""

    testbed: StandInTestbed | None = None

    def __init__(self) -> None:
        self.fed = threading.Event()
        super().__init__()

    def _obey(self, command: int, arguments: bytes) -> None:
        super()._obey(command, arguments)
        if command == DUT_POWER and self.testbed is not None:
            self.testbed.switch_supply(self.powered)
            if self.powered:
                self.fed.set()


@pytest.mark.parametrize("energy", [False, True])
def test_the_probe_that_feeds_the_board_is_its_switch(
    local_artefact: Artefact, network: Network, tmp_path: Path, energy: bool
) -> None:
    testbed = StandInTestbed(local_artefact, pins=False)
    with Feeds() as ppk2:
        config = ProbeConfig(kind="ppk2", port=ppk2.path, ppk2=Ppk2Options(quiet_s=0.01))
        meter = sampling.energy_meter(testbed, config) if energy else None
        own = Supply(SupplySection(probe=True, off_s=0.01), testbed, config)

        def revive() -> None:
            own.cycle(meter)
            assert ppk2.fed.wait(10)  # it obeys in a thread of its own

        board = Board(testbed, local_artefact, tmp_path / "i.elf", network, revive=revive)
        testbed.hangs, ppk2.testbed = True, testbed
        board.for_sample()
        assert ppk2.powered
        assert "supply off" in testbed.steps
        if meter is not None:
            meter.begin()
            with pytest.raises(BenchError, match="recording"):
                meter.cycle_supply(0.0)
            meter.close()


def test_a_probe_that_feeds_nothing_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    for text, told in (
        ("", "there is no"),
        ("probe = { kind = 'ina', port = '/dev/null' }", "feeds no board"),
        ("probe = { kind = 'ppk2', ppk2 = { mode = 'ampere' } }", "feeds no board"),
        ("probe = { kind = 'ppk2', ppk2 = { power_off_at_close = true } }", "power_off_at_close"),
    ):
        path = tmp_path / "lab.toml"
        path.write_text(f"[testbeds.esp32]\n{text}\nsupply = {{ probe = true }}")
        with pytest.raises(BenchError, match=told):
            labfile.load(path).factory("esp32")
    with StandinPpk2() as ppk2:
        options = Ppk2Options(mode="ampere", quiet_s=0.01)
        with (
            open_probe(ProbeConfig(kind="ppk2", port=ppk2.path, ppk2=options)) as probe,
            pytest.raises(BenchError, match="does not feed the board"),
        ):
            probe.cycle_supply(0.0)


@pytest.mark.parametrize("keys", [{}, {"off": ("a",)}, {"cycle": ("a",), "probe": True}])
def test_one_way_and_no_other(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"belong together|one way"):
        SupplySection(**keys)


def test_absent_for_good_is_told_as_such(local_artefact: Artefact) -> None:
    testbed = StandInTestbed(local_artefact, present=False)
    with pytest.raises(TestbedAbsent):
        testbed.check()
    with pytest.raises(BenchError, match="not there"):
        Supply(SupplySection(cycle=("true",), back_s=0), testbed).cycle()
    assert supply.check(SupplySection(cycle=("true",)), None) is None
