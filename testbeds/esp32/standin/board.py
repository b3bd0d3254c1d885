"""Joins a whole stand-in: the chip, its two ends, and the commands by which faults are asked for."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from testbeds.esp32.standin.chip import Chip
from testbeds.esp32.standin.ends import PtyEnd, Rfc2217End

COMMANDS = """\
state                  mode (loader, application, dead), boots, damaged bytes
reset [loader]         the EN button, with IO0 held down for the loader
markers                [code, ns] of each change of the marker pins since the application began, 4096 at most
traffic [reset]        MQTT packet bytes up and down
noise RATE [SEED]      damage each byte on the console line, both ways, with this probability; 0 ends it
vanish | appear        pull the USB cable, plug it in again
wifi off | on          the access point
rssi DBM               how strong it is, from the next join on
network SSID [PASSWORD]  its name and password; until then it takes any
drift PPM              the chip's clock is fast by so much
stall N | never        the loader falls silent after N blocks of flash data, from its next boot on
quit"""


class StandIn:
    """Holds an ESP32 board on this machine, powered, with empty flash."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="agilenn-esp32-port-")
        self.chip = Chip()
        self.pty = PtyEnd(self.chip, Path(self._folder.name) / "ttyESP32")
        self.remote = Rfc2217End(self.chip)
        self.chip.reset()

    def obey(self, line: str) -> dict[str, Any]:
        """Carry out one command and return its answer.

        Raises:
            ValueError: it is none of `COMMANDS`.
        """
        word, *rest = line.split() or [""]
        match word, rest:
            case "state", []:
                damaged = self.chip.noise_in.damaged + self.chip.noise_out.damaged
                return {"mode": self.chip.mode, "boots": self.chip.boots, "damaged": damaged}
            case "reset", [] | ["loader"]:
                self.chip.reset(loader=bool(rest))
            case "markers", []:
                return {"markers": list(self.chip.radio.markers) if self.chip.radio else []}
            case "traffic", [] | ["reset"]:
                return self._traffic(forget=bool(rest))
            case "noise", [rate, *seed] if len(seed) < 2:
                self.chip.noise_in.set(float(rate), int(seed[0]) if seed else 0)
                self.chip.noise_out.set(float(rate), int(seed[0]) + 1 if seed else 1)
            case "vanish", []:
                self.pty.vanish()
                self.remote.vanish()
            case "appear", []:
                self.pty.appear()
                self.remote.appear()
            case "wifi", ["off" | "on"]:
                self.chip.access_point.up = rest[0] == "on"
            case "network", [ssid] | [ssid, _]:
                self.chip.access_point.ssid = ssid
                self.chip.access_point.password = rest[1] if len(rest) > 1 else ""
            case "rssi", [dbm] if -128 <= int(dbm) <= 0:
                self.chip.access_point.rssi_dbm = int(dbm)
            case "drift", [ppm]:
                if self.chip.radio:
                    self.chip.radio.drift(int(ppm))
            case "stall", [blocks]:
                self.chip.stalls_after = None if blocks == "never" else int(blocks)
            case _:
                raise ValueError(f"no command of a stand-in: {line.strip()!r}")
        return {}

    def _traffic(self, *, forget: bool) -> dict[str, Any]:
        radio = self.chip.radio
        if radio is None:
            return {"up": 0, "down": 0, "no_delay": False}
        said = {"up": radio.traffic.mqtt_up, "down": radio.traffic.mqtt_down, "no_delay": radio.no_delay}
        if forget:
            radio.reset_traffic()
        return said

    def close(self) -> None:
        """Switch the board off. It is safe to call this twice."""
        self.pty.close()
        self.remote.close()
        self.chip.close()
        self._folder.cleanup()
