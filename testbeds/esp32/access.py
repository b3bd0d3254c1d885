"""Reaches a board: chooses its port, resets it, and has its flash written."""

from __future__ import annotations

import contextlib
import os
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import serial

from harness.contracts.errors import BenchError, TestbedAbsent
from testbeds.esp32.flasher import flash
from testbeds.esp32.standin.process import StandInProcess
from testbeds.tools import Tools

_EN_LOW_S = 0.1  # the kits' EN has a capacitor of about a millisecond


class Access(ABC):
    """Reaches one board. `reset` leaves the console port open."""

    target: str  # one of testbeds.firmware.toolchain.build's
    name: str  # what messages call the board

    def __init__(self, baud: int, tools: Tools | None = None) -> None:
        self._baud = baud
        self._tools = tools or Tools()
        self._port: Any = None

    @abstractmethod
    def check(self) -> None:
        """Check that the board is there. Raises TestbedAbsent."""

    @abstractmethod
    def flash(self, image: Path, timeout_s: float) -> bool:
        """Write `image` unless it is in flash already, and return whether it was written."""

    @abstractmethod
    def reset(self) -> None:
        """Restart the application."""

    def open(self) -> Any:
        """Open and return the console port, a `serial.Serial`."""
        if self._port is None:
            self._port = self._opened(self._url())
        return self._port

    def close(self) -> None:
        """Close the port. It is safe to call this twice."""
        if self._port is not None:
            port, self._port = self._port, None
            with contextlib.suppress(OSError):  # its cable may have been pulled
                port.close()

    @abstractmethod
    def _url(self) -> str:
        """Return the device or URL that pyserial opens."""

    def _opened(self, url: str) -> Any:
        try:
            return serial.serial_for_url(url, self._baud, timeout=0.1)
        except (OSError, ValueError) as e:  # SerialException is an OSError
            cure = "check the cable and the permissions of the port (group dialout), and close other programs on it"
            raise BenchError(f"the ESP32's port {url} can't be opened ({e})", cure=cure) from e


class LinesAccess(Access):
    """Reaches a board behind a port with control lines: a kit on USB, or one that an RFC 2217 server holds.

    EN goes low while RTS alone is asserted, IO0 while DTR alone is (the two-transistor circuit of Espressif's kits).
    """

    def __init__(self, port: str, baud: int, target: str = "esp32", tools: Tools | None = None) -> None:
        super().__init__(baud, tools)
        self.target = target
        self.name = port

    def check(self) -> None:
        if "://" not in self.name and not Path(self.name).exists():
            raise TestbedAbsent(f"testbed esp32: no port {self.name}", cure="attach the board, or correct lab.toml")
        if "://" not in self.name and not os.access(self.name, os.R_OK | os.W_OK):
            raise TestbedAbsent(
                f"testbed esp32: you may not open {self.name}", cure="sudo usermod -aG dialout $USER, then log in again"
            )

    def flash(self, image: Path, timeout_s: float) -> bool:
        self.close()
        return flash(image, self.name, timeout_s=timeout_s, tools=self._tools)

    def reset(self) -> None:
        try:
            self._pulse()
        except OSError:  # its cable was pulled meanwhile: try once more with a new port
            self.close()
            try:
                self._pulse()
            except OSError as e:
                self.close()
                raise BenchError(
                    f"the ESP32 on {self.name} can't be reset ({e})", cure="check its cable; it needs DTR and RTS"
                ) from e

    def _pulse(self) -> None:
        port = self.open()
        port.dtr = False  # goes first, so that RTS alone is left: EN low, IO0 high
        port.rts = True
        time.sleep(_EN_LOW_S)
        port.reset_input_buffer()
        port.rts = False

    def _url(self) -> str:
        return self.name


class OwnStandIn(Access):
    """Reaches a stand-in of our own, which is started when it is first flashed; its buttons are commands."""

    target = "esp32-standin"
    name = "stand-in"

    def __init__(self, baud: int, tools: Tools | None = None) -> None:
        super().__init__(baud, tools)
        self.process: StandInProcess | None = None

    def check(self) -> None:
        if not hasattr(os, "openpty"):
            raise TestbedAbsent("the ESP32 stand-in needs pseudo terminals", cure="run it on Linux")

    def running(self) -> StandInProcess:
        """Return the stand-in, and start it if it is not running."""
        if self.process is None:
            self.process = StandInProcess()
        return self.process

    def flash(self, image: Path, timeout_s: float) -> bool:
        self.close_port()
        board = self.running()
        board.tell("reset loader")
        return flash(image, board.path, timeout_s=timeout_s, lines=False, tools=self._tools)

    def reset(self) -> None:
        board = self.running()
        self.close_port()  # it may be one of a cable that was pulled meanwhile
        self.open()
        board.tell("reset")

    def close_port(self) -> None:
        """Close the port alone."""
        super().close()

    def close(self) -> None:
        super().close()
        if self.process is not None:
            process, self.process = self.process, None
            process.close()

    def _url(self) -> str:
        return self.running().path
