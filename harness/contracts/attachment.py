"""Says where a board is in this lab: what the user's lab file tells of one testbed, as testbeds see it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.contracts.toml import Strict

PowerSave = Literal["none", "min", "max"]  # a station never sleeps, between beacons, by its listen interval


class UsbIdentity(Strict):
    """Names a USB serial converter or debug probe that such a board is known to carry."""

    vid: int = Field(ge=0, le=0xFFFF)
    pid: int = Field(ge=0, le=0xFFFF)
    what: str


class Attachment(Strict):
    """Holds `[testbeds.NAME]` of the lab file, less what only the harness uses. Everything may be left out.

    `port` is a device (`/dev/ttyUSB0`) or a URL that pyserial opens (`rfc2217://host:4000`, `socket://host:4000`).
    `usb_serial` picks one of several boards of a kind: the serial number of its converter or debug probe.
    """

    port: str | None = Field(default=None, min_length=1)
    usb_serial: str | None = Field(default=None, min_length=1)
    flasher: Literal["openocd", "pyocd"] | None = None
    flash_timeout_s: float = Field(default=90.0, gt=0, le=3600)
    module_baud: int | None = Field(default=None, ge=9600, le=5_000_000)
    module_flow_control: bool | None = None  # the module's RTS is wired; left out: above 1 Mbaud
    power_save: PowerSave | None = None  # of a board that has a radio of its own

    @property
    def remote(self) -> bool:
        """Say whether the port is on another machine, or at least behind a URL."""
        return self.port is not None and "://" in self.port

    @property
    def empty(self) -> bool:
        """Say whether the lab file tells nothing of the testbed."""
        return self == Attachment()
