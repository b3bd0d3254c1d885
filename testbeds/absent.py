"""Boards that can be looked for but not yet driven: the one-line refusal that `--testbed` ends in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serial.tools import list_ports

from harness.contracts.attachment import Attachment, UsbIdentity
from harness.contracts.clock import HostClock
from harness.contracts.errors import TestbedAbsent
from harness.contracts.link import Link, LinkSpec
from harness.contracts.testbed import SerialPort, Testbed
from testbeds.benchfile import BenchFile, describe, read_bench_file


def find_ports(bench: BenchFile) -> list[str]:
    """Serial ports whose USB identity is one of the bench file's."""
    known = {(usb.vid, usb.pid) for usb in bench.usb}
    return sorted(port.device for port in list_ports.comports() if (port.vid, port.pid) in known)


class NoLink(Link):
    """The link of a board that is not there."""

    def __init__(self, refuse: TestbedAbsent) -> None:
        self._refuse = refuse

    def check(self, spec: LinkSpec) -> None:
        raise self._refuse

    def apply(self, spec: LinkSpec) -> None:
        raise self._refuse

    def read_back(self) -> LinkSpec | None:
        return None

    def clear(self) -> None:
        pass


class HardwareTestbed(Testbed):
    """A board on USB. Flashing and shaping are not built yet: with or without one attached it refuses."""

    folder: Path
    needs: str  # what to attach, in words

    def __init__(self) -> None:
        self.bench = read_bench_file(self.folder / "bench.toml")
        self.description = describe(self.name, self.bench)
        self.attachment = Attachment()
        self.clock = HostClock()
        self.link = NoLink(TestbedAbsent(f"testbed {self.name} has no link", cure="use --testbed virtual"))

    @classmethod
    def usb_identities(cls) -> Sequence[UsbIdentity]:
        return read_bench_file(cls.folder / "bench.toml").usb

    def attach(self, attachment: Attachment) -> None:
        self.attachment = attachment

    def check(self) -> None:
        found = find_ports(self.bench)
        if not found:
            raise TestbedAbsent(
                f"testbed {self.name}: no board found on USB", cure=f"attach {self.needs}, or use --testbed virtual"
            )
        raise TestbedAbsent(
            f"testbed {self.name}: a board is on {', '.join(found)}, but this version can't flash and shape it yet",
            cure="use --testbed virtual, which runs the same firmware",
        )

    def flash(self, image: Path) -> None:
        self.check()

    def reset(self) -> None:
        self.check()

    def open(self) -> SerialPort:
        self.check()
        raise TestbedAbsent(f"testbed {self.name} can't be opened", cure="use --testbed virtual")

    def close(self) -> None:
        pass
