"""Opens the probe that a bench has, by the settings of the lab's file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from serial.tools import list_ports

from harness.contracts.errors import BenchError
from harness.contracts.probe import PowerProbe
from harness.contracts.toml import Strict
from harness.host import registry
from harness.power.ina import InaOptions, InaProbe
from harness.power.joulescope import JoulescopeOptions, JoulescopeProbe
from harness.power.lpm01a import Lpm01aOptions, Lpm01aProbe
from harness.power.ppk2 import Ppk2Options, Ppk2Probe
from harness.power.replay import ReplayProbe

USB_IDS = {"ppk2": (0x1915, 0xC00A), "lpm01a": (0x0483, 0x5740)}  # Nordic PPK2; ST virtual COM port


class ProbeConfig(Strict):
    """Holds the `[probe]` table of a lab's file: a kind, where it is, and the settings of that kind."""

    kind: Literal["ppk2", "joulescope", "lpm01a", "ina", "replay", "own"]
    port: str | None = None  # device or pyserial URL; left out for ppk2 and lpm01a: found by USB identity
    path: Path | None = None  # replay: the recording
    name: str | None = None  # own: that of an entry point in the group agilenn_bench.probes
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)  # own: handed to it
    ppk2: Ppk2Options = Ppk2Options()
    joulescope: JoulescopeOptions = JoulescopeOptions()
    lpm01a: Lpm01aOptions = Lpm01aOptions()
    ina: InaOptions = InaOptions()

    @model_validator(mode="after")
    def _complete(self) -> ProbeConfig:
        if self.kind == "ina" and self.port is None:
            raise ValueError("an ina bridge needs its port")
        if self.kind == "replay" and self.path is None:
            raise ValueError("a replay needs the path of a recording")
        if (self.kind == "own") != (self.name is not None):
            raise ValueError("a probe of kind own, and no other, needs the name of its entry point")
        return self


def open_probe(config: ProbeConfig) -> PowerProbe:
    """Open the probe of `config`. Raises BenchError when it isn't there or isn't what it should be."""
    if config.kind == "joulescope":
        return JoulescopeProbe(config.joulescope)
    if config.kind == "replay":
        return ReplayProbe(config.path or Path())
    if config.kind == "own":
        return registry.probe(config.name or "", config.settings)
    port = config.port or find_port(config.kind)
    if config.kind == "ppk2":
        return Ppk2Probe(port, config.ppk2)
    if config.kind == "lpm01a":
        return Lpm01aProbe(port, config.lpm01a)
    return InaProbe(port, config.ina)


def find_port(kind: str) -> str:
    """Return the one port whose USB identity is that of `kind`. Raises BenchError for none or several."""
    found = [port.device for port in list_ports.comports() if (port.vid, port.pid) == USB_IDS[kind]]
    if not found:
        raise BenchError(f"no {kind} is attached", cure="plug it in, or name its port")
    if len(found) > 1:
        # A PPK2 may show two ports of one identity; which of them streams is for the user to say.
        raise BenchError(f"{len(found)} ports look like a {kind}: {', '.join(found)}", cure="name one by port")
    return str(found[0])
