"""Makes one testbed ready, step by step, as one would do it by hand in the lab.

off -> flashed -> booted -> configured -> associated -> ready
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import assert_never

from harness.artefacts.artefacts import Artefact
from harness.contracts.errors import BenchError
from harness.contracts.testbed import Network, Testbed
from harness.device.boardlog import BoardLog
from harness.device.device import BOARD, EMULATED, Cancelled, Device, NoAnswer
from harness.device.messages import Info, Stats, config_tlvs, radio_tlvs
from harness.host import locks

log = logging.getLogger(__name__)

MOST_FAILURES = 6


class BoardGone(BenchError):
    """Says that a board did not come to ready, or fails one sample after another: it is of no more use to this run."""


class State(IntEnum):
    """Names how far a board has come."""

    OFF = 0
    FLASHED = 1
    BOOTED = 2
    CONFIGURED = 3
    ASSOCIATED = 4
    READY = 5


@dataclass(frozen=True)
class BoardSettings:
    """Holds what is set before the device associates; None = what the artefact or the testbed says."""

    clock_hz: int | None = None
    alpha: float | None = None
    exit_threshold: float | None = None
    reply_timeout_ms: int | None = None


class Board:
    """Holds a testbed that runs one artefact's image."""

    def __init__(
        self,
        testbed: Testbed,
        artefact: Artefact,
        image: Path,
        network: Network,
        settings: BoardSettings | None = None,
        *,
        cancelled: threading.Event | None = None,
        kept: BoardLog | None = None,
        revive: Callable[[], None] | None = None,
    ) -> None:
        self.log = kept or BoardLog(testbed.name, live=True)
        self.log.hide(network.wifi_password, network.mqtt_password)
        self.log.note("board", f"{testbed.description.title}; image {image.name}")
        testbed.tell_to(self.log.note)
        self.testbed = testbed
        self.artefact = artefact
        self.network = network
        self.settings = settings or BoardSettings()
        self.state = State.OFF
        self.info: Info | None = None
        self.stats_at_ready: Stats | None = None
        self._image = image
        self._cancelled = cancelled
        self._revive = revive  # switches its supply off and on
        self._revived = False  # since it was ready
        self._device: Device | None = None
        self._lock: locks.BoardLock | None = None
        self._was_ready = False
        self.lost_samples = 0  # to the bench, one after another

    @property
    def device(self) -> Device:
        """Return the device on the console port.

        Raises:
            BenchError: the board is not booted.
        """
        if self._device is None:
            raise BenchError(f"testbed {self.testbed.name} is not booted")
        return self._device

    @property
    def clock_hz(self) -> int:
        """Return the core clock asked for."""
        return self.settings.clock_hz or self.testbed.description.clock_hz

    def to(self, wanted: State) -> Board:
        """Go on until `wanted` is reached.

        Raises:
            BenchError: a step failed; the state is the last one reached.
        """
        while self.state < wanted:
            try:
                self._step(self.state)
            except BenchError as e:
                self.log.note("board", f"not {State(self.state + 1).name.lower()}: {e}")
                if isinstance(e, NoAnswer) and (crash := self.autopsy()):
                    log.warning("%s: %s", self.testbed.name, crash)
                raise
            finally:
                self.overhear()
            self.state = State(self.state + 1)
            self.log.note("board", self.state.name.lower())
            log.info("%s (%s): %s", self.testbed.name, self.artefact.description.scheme, self.state.name.lower())
        return self

    def up(self) -> Board:
        """Come to ready. Of a board that a reset does not bring there, the supply is switched off and on, once, where
        something can.

        Raises:
            BenchError: it did not come to ready.
        """
        try:
            self.to(State.READY)
        except (Cancelled, locks.BoardBusy):
            raise
        except BenchError as e:
            if self._revive is None or self._revived:
                raise
            log.warning("%s does not come up (%s): its supply is switched off and on", self.testbed.name, e.what)
            self._revived = True
            self._revive()
            self.state = min(self.state, State.FLASHED)
            self.to(State.READY)
        self._revived = False
        return self

    def recover(self) -> Board:
        """Restart the firmware after a failed sample, and come back to ready."""
        self.state = min(self.state, State.FLASHED)
        return self.up()

    def for_sample(self) -> Board:
        """Come to ready. A board that was ready once may take a while to come back (its broker, its access point or its
        cable is away): it is tried again after a pause that grows, and `MOST_FAILURES` in a row are final.

        Raises:
            BoardGone: it never was ready, or has not come back for too long.
            Cancelled: the run is being stopped.
        """
        failures = 0
        cancelled = self._cancelled or threading.Event()
        while self.state is not State.READY:
            if failures and cancelled.wait(min(8.0, 0.25 * 2**failures)):
                raise Cancelled("the run is being stopped")
            try:
                self.up()
            except (Cancelled, locks.BoardBusy):
                raise
            except BenchError as e:
                failures += 1
                if not self._was_ready or failures >= MOST_FAILURES:
                    raise BoardGone(e.what, cure=e.cure) from e
                if failures == 1:
                    log.warning("board %s does not come back, and is tried again: %s", self.name, e.what)
                self.state = min(self.state, State.FLASHED)
        self._was_ready = True
        return self

    @property
    def name(self) -> str:
        """Return what people call the board: the testbed, which of them, and whose image it has."""
        number = self.network.topic_prefix.rpartition("/")[2]
        return f"{self.testbed.name} {number} ({self.artefact.description.scheme})"

    def lost(self) -> None:
        """Note that a sample failed: the board comes back through reset before the next one."""
        self.state = min(self.state, State.FLASHED)

    def before_sample(self, seed: int, remote_ms: float | None) -> None:
        """Make ready for one sample. What a testbed restores, the host's side of the dialogue is restored with: frames
        with other sequence numbers have other zero bytes, and take the device other cycles to read.
        """
        self.testbed.before_sample(seed, remote_ms)
        if self.testbed.restores:
            self.device.rewind()

    def autopsy(self) -> str:
        """Ask what the firmware left of a fault, put it into the log, and return it in one line; "" when it left
        nothing. The board may be reset by it.
        """
        try:
            crash = self.testbed.crash()
        except BenchError as e:
            self.log.note("crash", f"what it left can't be read: {e}")
            return ""
        if crash is None:
            return ""
        self.log.note("crash", "\n".join((crash.what, *crash.details)))
        return f"the firmware crashed: {crash.what}"

    def overhear(self) -> None:
        """Take what device and Wi-Fi module have said into the log."""
        try:
            for line in self.testbed.module_lines():
                self.log.note("module", line)
        except BenchError as e:
            self.log.note("board", f"the module's dialogue is lost: {e}")

    def close(self) -> None:
        """Give the testbed back."""
        self._device = None
        self.state = State.OFF
        try:
            self.testbed.close()
        finally:
            self.testbed.link.close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None
            self.log.close()

    def _step(self, state: State) -> None:
        match state:
            case State.OFF:
                self.testbed.check()
                if self._lock is None and (identity := self.testbed.identity):
                    self._lock = locks.take(identity)
                self.testbed.flash(self._image)
            case State.FLASHED:
                self._boot()
            case State.BOOTED:
                self._configure()
            case State.CONFIGURED:
                self.device.connect()
            case State.ASSOCIATED:
                self.stats_at_ready = self.device.stats()
                self.testbed.ready()
                self.device.mark()
            case State.READY:
                pass
            case _:
                assert_never(state)

    def _boot(self) -> None:
        self.testbed.reset()
        patience = EMULATED if self.testbed.pins_remote else BOARD
        self._device = Device(self.testbed.open(), cancelled=self._cancelled, patience=patience, note=self.log.note)
        self.info = self._device.hello()
        self._check_identity()

    def _check_identity(self) -> None:
        info, description = self.info, self.artefact.description
        if info is None:
            raise BenchError(f"testbed {self.testbed.name} did not say what it is", cure="reset it")
        if info.weights != self.artefact.u32 or info.name != description.label[:48]:
            raise BenchError(
                f"the board holds {info.name} (weights {info.weights:08x}), wanted is {description.label} "
                f"({self.artefact.u32:08x})",
                cure="flash it again",
            )
        if info.image_bytes != description.image_bytes:
            raise BenchError(f"the board wants images of {info.image_bytes} bytes, not {description.image_bytes}")

    def _configure(self) -> None:
        self.device.configure(
            config_tlvs(
                self.network,
                module_baud=self.testbed.description.module_baud,
                module_flow=self.testbed.description.module_flow_control,
                clock_hz=self.clock_hz,
                # Virtual time costs nothing to wait for; on a bench a dead link should be noticed.
                reply_timeout_ms=self.settings.reply_timeout_ms or (60_000 if self.testbed.pins_remote else 10_000),
                alpha=self.settings.alpha,
                exit_threshold=self.settings.exit_threshold,
            )
        )
        for settings in radio_tlvs(self.network, self.testbed.description.extra.get("power_save")):
            self.device.configure(settings)
