"""Provides `--testbed esp32`: a development kit by USB port, serial number or URL, or the stand-in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from serial.tools import list_ports

from harness.contracts.attachment import Attachment, UsbIdentity
from harness.contracts.clock import HostClock
from harness.contracts.errors import BenchError, TestbedAbsent
from harness.contracts.testbed import SampleLog, SerialPort, Testbed
from testbeds.benchfile import describe, read_bench_file
from testbeds.esp32.access import Access, LinesAccess, OwnStandIn
from testbeds.esp32.flasher import check_esptool
from testbeds.firmware.toolchain.idf import find_idf
from testbeds.tools import Tools
from testbeds.unshaped import UnshapedLink

VARIABLE = "AGILENN_ESP32_PORT"  # names the port in place of `port` in lab.toml
STAND_IN = "standin"  # as a port, starts one of our own; `standin:URL` is one that already runs
_BENCH = Path(__file__).with_name("bench.toml")


class Esp32Testbed(Testbed):
    """Drives a kit or its stand-in. Times are the device's own cycle counter's; a stand-in's are this machine's,
    and say so.
    """

    name = "esp32"
    speaks_tls = True

    def __init__(self) -> None:
        self.bench = read_bench_file(_BENCH)
        self.clock = HostClock()
        self.link = UnshapedLink(self.name)
        self.tools = Tools(told=lambda run: self.note("tool", run.account))
        self._access: Access | None = None
        self.attach(Attachment())

    @classmethod
    def usb_identities(cls) -> Sequence[UsbIdentity]:
        return read_bench_file(_BENCH).usb

    def attach(self, attachment: Attachment) -> None:
        if attachment.flasher or attachment.module_baud:
            raise BenchError(
                "testbed esp32 has neither a debug probe nor an AT module",
                cure="remove flasher and module_baud from [testbeds.esp32] in lab.toml",
            )
        self.attachment = attachment
        self._port = attachment.port or ("" if attachment.usb_serial else os.environ.get(VARIABLE, ""))
        self.description = describe(self.name, self.bench)
        if attachment.power_save:
            self.description = replace(self.description, extra={"power_save": attachment.power_save})
        if self.is_stand_in:
            self.description = replace(
                self.description,
                title="ESP32 stand-in on this machine",
                target="esp32-standin",
                ram_bytes=0,  # this machine's: not limited
                flash_bytes=0,
                remarks="times of the host's processor, not of an ESP32; the link is not shaped",
            )

    def check_programs(self) -> None:
        if not self.is_stand_in:
            check_esptool()
            find_idf()

    @property
    def is_stand_in(self) -> bool:
        """Tell whether this is a stand-in rather than a board."""
        return self._port.partition(":")[0] == STAND_IN

    @property
    def identity(self) -> str:
        if self._port == STAND_IN:
            return ""
        try:
            name = self.attachment.usb_serial or self._found()
        except BenchError:
            return ""
        return f"esp32 {name if '://' in name else os.path.realpath(name) if name.startswith('/') else name}"

    @property
    def reaches_loopback(self) -> bool:
        return self.is_stand_in

    def check(self) -> None:
        self._reach().check()

    def flash(self, image: Path) -> None:
        self._reach().flash(image, self.attachment.flash_timeout_s)

    def reset(self) -> None:
        self._reach().reset()

    def open(self) -> SerialPort:
        port: SerialPort = self._reach().open()
        return port

    def before_sample(self, seed: int, remote_ms: float | None) -> None:
        if self._stands_in():
            self.tell("traffic reset")

    def sample_log(self) -> SampleLog:
        """Return the sample's log. A kit tells its own times alone; the stand-in has also counted MQTT packets."""
        if not self._stands_in():
            return SampleLog()
        traffic = self.tell("traffic")
        return SampleLog(mqtt_up_bytes=traffic["up"], mqtt_down_bytes=traffic["down"])

    def tell(self, command: str) -> dict[str, Any]:
        """Give a command to our own stand-in, such as a fault (testbeds.esp32.standin.board.COMMANDS).

        Raises:
            BenchError: this is not a stand-in of ours, or it refuses.
        """
        access = self._reach()
        if not isinstance(access, OwnStandIn):
            raise BenchError("only a stand-in of our own takes commands", cure=f"set {VARIABLE}={STAND_IN}")
        return access.running().tell(command)

    def close(self) -> None:
        if self._access is not None:
            access, self._access = self._access, None
            access.close()

    def _stands_in(self) -> bool:
        return isinstance(self._access, OwnStandIn) and self._access.process is not None

    def _reach(self) -> Access:
        if self._access is None:
            baud = self.description.console_baud
            if self._port == STAND_IN:
                self._access = OwnStandIn(baud, self.tools)
            elif self.is_stand_in:
                self._access = LinesAccess(self._port.partition(":")[2], baud, "esp32-standin", self.tools)
            else:
                self._access = LinesAccess(self._found(), baud, tools=self.tools)
        return self._access

    def _found(self) -> str:
        """Return the port: as given, by the serial number, or the only one that looks like a kit's.

        Raises:
            TestbedAbsent: there is none, or more than one.
        """
        if self._port:
            return self._port.partition(":")[2] if self.is_stand_in else self._port
        ports = list_ports.comports()
        wanted = self.attachment.usb_serial
        if wanted:
            found = [str(p.device) for p in ports if p.serial_number == wanted]
            what = f"no USB port with serial number {wanted}"
        else:
            known = {(usb.vid, usb.pid) for usb in self.bench.usb}
            found = [str(p.device) for p in ports if (p.vid, p.pid) in known]
            what = "no board found on USB"
        if not found:
            raise TestbedAbsent(
                f"testbed esp32: {what}",
                cure=f"attach an ESP32 development kit by USB, set {VARIABLE}={STAND_IN} for its stand-in, "
                "or use --testbed virtual",
            )
        if len(found) > 1:
            raise TestbedAbsent(
                f"testbed esp32: several boards it could be ({', '.join(sorted(found))})",
                cure="name one in lab.toml: port or usb_serial in [testbeds.esp32]",
            )
        return found[0]
