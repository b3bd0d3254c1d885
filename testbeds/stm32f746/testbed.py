"""Provides `--testbed stm32f746`: the Discovery board by its ST-LINK, with an ESP-AT module on USART6."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import serial

from harness.contracts.attachment import Attachment, UsbIdentity
from harness.contracts.clock import HostClock
from harness.contracts.errors import BenchError, TestbedAbsent
from harness.contracts.testbed import Crash, SerialPort, Testbed
from testbeds.benchfile import describe, heeds_flow, read_bench_file
from testbeds.firmware.toolchain.clocks import STM32F746_CLOCKS_HZ
from testbeds.stm32f746 import crash
from testbeds.stm32f746.flasher import Flasher, choose
from testbeds.tools import Tools
from testbeds.unshaped import UnshapedLink
from testbeds.usb import find_port, serial_of

_BENCH = Path(__file__).with_name("bench.toml")
_NEEDS = "a 32F746GDISCOVERY by its ST-LINK socket"


class Stm32F746Testbed(Testbed):
    """Drives the board, with the very image that the emulated board runs. Times are its own, by its cycle counter."""

    name = "stm32f746"

    def __init__(self) -> None:
        self.bench = read_bench_file(_BENCH)
        self.description = describe(self.name, self.bench)
        self.clock = HostClock()
        self.link = UnshapedLink(self.name)
        self.tools = Tools(told=lambda run: self.note("tool", run.account))
        self.attachment = Attachment()
        self._port: serial.Serial | None = None
        self._image: Path | None = None

    @classmethod
    def usb_identities(cls) -> Sequence[UsbIdentity]:
        return read_bench_file(_BENCH).usb

    def attach(self, attachment: Attachment) -> None:
        self.attachment = attachment
        baud, flow = attachment.module_baud or self.bench.module_baud, attachment.module_flow_control
        if flow is None:
            flow = heeds_flow(self.bench.module_flow_control, baud)
        self.description = replace(self.description, module_baud=baud, module_flow_control=flow)

    def check_programs(self) -> None:
        choose(self.attachment.flasher, self.tools, None)

    @property
    def clocks_hz(self) -> tuple[int, ...]:
        return STM32F746_CLOCKS_HZ

    @property
    def reaches_loopback(self) -> bool:
        return False

    @property
    def identity(self) -> str:
        try:
            port = self._where()
        except TestbedAbsent:
            return ""
        if "://" in port:
            return f"stm32f746 {port}"
        return f"stm32f746 {self.attachment.usb_serial or serial_of(port) or os.path.realpath(port)}"

    def check(self) -> None:
        port = self._where()
        if "://" in port:
            return
        if not Path(port).exists():
            raise TestbedAbsent(f"testbed stm32f746: no port {port}", cure=f"attach {_NEEDS}, or mend lab.toml")
        if not os.access(port, os.R_OK | os.W_OK):
            raise TestbedAbsent(
                f"testbed stm32f746: you may not open {port}", cure="sudo usermod -aG dialout $USER, then log in again"
            )

    def flash(self, image: Path) -> None:
        """Write the image where it differs, and verify it in any case (this takes a few seconds)."""
        self._close_port()  # the ST-LINK's virtual port stalls while flash is written
        self._flasher().flash(image, self.attachment.flash_timeout_s)
        self._image = image

    def reset(self) -> None:
        """Reset the board by the probe: the firmware starts anew, the virtual port stays."""
        self._flasher().reset()

    def crash(self) -> Crash | None:
        """Read the crash record by the probe, which resets the board: it is in RAM until the firmware starts anew."""
        if self._image is None or (address := crash.address_of(self._image)) is None:
            return None
        return crash.decoded(self._flasher().after_reset(address, len(crash.FIELDS)), self._image)

    def open(self) -> SerialPort:
        self._close_port()
        port = self._where()
        try:
            self._port = serial.serial_for_url(port, self.description.console_baud, timeout=0.1)
        except (OSError, ValueError) as e:  # SerialException is an OSError
            raise BenchError(
                f"the board's port {port} can't be opened ({e})",
                cure="check its cable and permissions (group dialout), and close other programs on it",
            ) from e
        return self._port

    def close(self) -> None:
        self._close_port()

    def _close_port(self) -> None:
        if self._port is not None:
            port, self._port = self._port, None
            with contextlib.suppress(OSError):  # its cable may have been pulled
                port.close()

    def _where(self) -> str:
        return find_port(self.name, self.attachment, self.bench.usb, _NEEDS)

    def _flasher(self) -> Flasher:
        port, own = self._where(), self.attachment.usb_serial
        return choose(self.attachment.flasher, self.tools, own or (None if "://" in port else serial_of(port)))
