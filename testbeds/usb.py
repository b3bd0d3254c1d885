"""Finds a board's serial port: as the lab file names it, by USB serial number, or the only one of its kind."""

from __future__ import annotations

from collections.abc import Sequence

from serial.tools import list_ports

from harness.contracts.attachment import Attachment, UsbIdentity
from harness.contracts.errors import TestbedAbsent


def find_port(name: str, attachment: Attachment, known: Sequence[UsbIdentity], needs: str) -> str:
    """Return the console port of testbed `name`, a device or a URL; `needs` says what to attach.

    Raises:
        TestbedAbsent: there is none, or more than one that it could be.
    """
    if attachment.port is not None:
        return attachment.port
    identities = {(usb.vid, usb.pid) for usb in known}
    found = [p for p in list_ports.comports() if (p.vid, p.pid) in identities]
    if wanted := attachment.usb_serial:
        found = [p for p in list_ports.comports() if p.serial_number == wanted]
        if not found:
            raise TestbedAbsent(
                f"testbed {name}: no serial port has USB serial number {wanted}",
                cure="attach it, or see python -m harness.doctor --list and mend lab.toml",
            )
    if not found:
        raise TestbedAbsent(f"testbed {name}: no board found on USB", cure=f"attach {needs}, or use --testbed virtual")
    if len(found) > 1:
        names = ", ".join(sorted(str(p.device) for p in found))
        raise TestbedAbsent(
            f"testbed {name}: several boards it could be ({names})",
            cure=f"name one in lab.toml by usb_serial or port in [testbeds.{name}]",
        )
    return str(found[0].device)


def serial_of(port: str) -> str | None:
    """Return the USB serial number of the device behind a port; None without one, or when the port is elsewhere."""
    return next((p.serial_number for p in list_ports.comports() if p.device == port), None)
