"""Switches a board's supply off and on when a reset does not bring it back: by a program or by the probe that feeds
it.
"""

from __future__ import annotations

import logging
import threading
import time

from pydantic import Field, model_validator

from harness.contracts.errors import BenchError, TestbedAbsent
from harness.contracts.testbed import Testbed
from harness.contracts.toml import Strict
from harness.lab.programs import Argv, account, call
from harness.power.probes import ProbeConfig, open_probe
from harness.power.sampling import EnergyMeter
from testbeds.tools import Tools

log = logging.getLogger(__name__)

_LOOK_S = 0.2


class SupplySection(Strict):
    """Holds `supply` of a board: one program that switches off and on, a pair of them, or the lab's probe."""

    cycle: Argv | None = None
    off: Argv | None = None
    on: Argv | None = None
    probe: bool = False
    off_s: float = Field(default=2.0, ge=0, le=60)  # between off and on
    back_s: float = Field(default=15.0, ge=0, le=300)  # until the board's port must be there again
    timeout_s: float = Field(default=30.0, gt=0, le=600)  # of a program

    @model_validator(mode="after")
    def _one_way(self) -> SupplySection:
        if (self.off is None) != (self.on is None):
            raise ValueError("off and on belong together")
        if (self.cycle is not None) + (self.off is not None) + self.probe != 1:
            raise ValueError("give one way: cycle, or off and on, or probe = true")
        return self


class Supply:
    """Holds the switch of one board.

    Args:
        probe: settings of the probe that feeds the board, where it is the switch.
    """

    def __init__(self, section: SupplySection, testbed: Testbed, probe: ProbeConfig | None = None) -> None:
        self._section = section
        self._testbed = testbed
        self._probe = probe
        self._tools = Tools(told=lambda run: testbed.note("tool", account(run)))

    def cycle(self, meter: EnergyMeter | None = None, cancelled: threading.Event | None = None) -> None:
        """Switch off and on, and wait for the board's port.

        Args:
            meter: has the probe open in this run, where energies are measured.
            cancelled: ends the waiting.

        Raises:
            BenchError: a program or the probe failed, or the board is not there again.
        """
        section, stop = self._section, cancelled or threading.Event()
        self._testbed.note("board", "its supply is switched off and on")
        if section.probe:
            self._by_probe(meter)
        elif section.cycle:
            self._call(section.cycle)
        elif section.off and section.on:
            self._call(section.off)
            try:
                stop.wait(section.off_s)
            finally:
                self._call(section.on)  # a run that is being stopped must not leave a board without supply
        until = time.monotonic() + section.back_s
        while True:
            try:
                self._testbed.check()
            except TestbedAbsent as e:
                if stop.wait(_LOOK_S) or time.monotonic() > until:
                    raise BenchError(
                        f"the board is not there {section.back_s:g} s after its supply was switched on ({e.what})",
                        cure="check its cable, or raise supply.back_s in lab.toml",
                    ) from e
            else:
                return

    def _call(self, argv: Argv) -> None:
        call(self._tools, argv, "switching the board's supply", timeout_s=self._section.timeout_s)

    def _by_probe(self, meter: EnergyMeter | None) -> None:
        if meter is not None:
            meter.cycle_supply(self._section.off_s)
        elif self._probe is not None:
            with open_probe(self._probe) as probe:
                probe.cycle_supply(self._section.off_s)


def check(section: SupplySection, probe: ProbeConfig | None) -> None:
    """Check that a probe that is to be the switch is one.

    Raises:
        BenchError: there is no probe, or it is known not to feed a board.
    """
    if not section.probe:
        return
    if probe is None:
        raise BenchError("supply.probe = true, and there is no [probe]", cure="write [probe], or give cycle = [...]")
    if probe.kind not in ("ppk2", "own") or (probe.kind == "ppk2" and probe.ppk2.mode != "source"):
        raise BenchError(
            f"supply.probe = true, and a {probe.kind} as it is set feeds no board",
            cure='take a ppk2 with mode = "source", or give cycle = [...]',
        )
    if probe.kind == "ppk2" and probe.ppk2.power_off_at_close:
        raise BenchError(
            "supply.probe = true, and power_off_at_close would leave the board without supply",
            cure="set power_off_at_close = false",
        )
