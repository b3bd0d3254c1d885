"""Finds what is on USB: serial ports with their identity, and which boards and probes such ports belong to."""

from __future__ import annotations

import getpass
import grp
import os
from dataclasses import dataclass

from serial.tools import list_ports

from harness.contracts.errors import BenchError
from harness.host import registry
from harness.power.probes import USB_IDS

_PROBE_NAMES = {"ppk2": "Nordic PPK2", "lpm01a": "X-NUCLEO-LPM01A (or another ST virtual COM port)"}


@dataclass(frozen=True)
class Found:
    """Describes one serial port on USB."""

    port: str
    vid: int
    pid: int
    usb_serial: str | None
    product: str
    what: tuple[str, ...]  # known boards' converters and probes of this identity
    testbeds: tuple[str, ...]
    probes: tuple[str, ...]
    usable: bool  # may this user open it?

    @property
    def identity(self) -> str:
        """Return its identity, as `0483:374b`."""
        return f"{self.vid:04x}:{self.pid:04x}"

    def lines(self) -> str:
        """Return what to write into lab.toml for it."""
        name = f'usb_serial = "{self.usb_serial}"' if self.usb_serial else f'port = "{self.port}"'
        boards = [f"[testbeds.{t}] {name}" for t in self.testbeds]
        probes = [f'[probe] kind = "{p}", port = "{self.port}"' for p in self.probes]
        return " or ".join([*boards, *probes])


def attached() -> list[Found]:
    """Return every serial port that has a USB identity, known ones first."""
    boards: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for name in registry.known(registry.TESTBEDS):
        try:
            identities = registry.testbed_class(name).usb_identities()
        except BenchError:
            continue  # a testbed whose package is missing shows nothing
        for usb in identities:
            boards.setdefault((usb.vid, usb.pid), []).append((name, usb.what))
    found = []
    for port in list_ports.comports():
        if port.vid is None or port.pid is None:
            continue
        own = boards.get((port.vid, port.pid), [])
        probes = tuple(kind for kind, identity in USB_IDS.items() if identity == (port.vid, port.pid))
        found.append(
            Found(
                port=str(port.device),
                vid=port.vid,
                pid=port.pid,
                usb_serial=port.serial_number,
                product=port.product or port.description or "",
                what=tuple(dict.fromkeys([*(what for _, what in own), *(_PROBE_NAMES[p] for p in probes)])),
                testbeds=tuple(dict.fromkeys(name for name, _ in own)),
                probes=probes,
                usable=os.access(port.device, os.R_OK | os.W_OK),
            )
        )
    return sorted(found, key=lambda f: (not f.what, f.port))


def permission_cure(port: str) -> str:
    """Say how this user gets to open `port`."""
    try:
        group = grp.getgrgid(os.stat(port).st_gid).gr_name  # noqa: PTH116 - the group's number is what is wanted
    except (OSError, KeyError):
        group = "dialout"
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "USER"
    return f"sudo usermod -aG {group} {user}, then log in again"
