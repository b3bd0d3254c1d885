"""Defines a power probe: channels with units and a sample clock. Energy is derived from them elsewhere
(`harness.power`).

A probe that can't measure raises; it never answers 0. A sample that was lost is not a number, and is marked so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import BenchError

Source = Literal["measured", "modelled", "assumed", "published"]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

# Gray code of the three marker pins by stage: each step of the full path changes one pin (docs/power.md).
STAGE_CODES: Mapping[str, int] = MappingProxyType(
    {"idle": 0b000, "local": 0b001, "encode": 0b011, "network": 0b010, "combine": 0b110}
)
UNITS: Mapping[str, str] = MappingProxyType({"current": "A", "voltage": "V", "energy": "uJ", "markers": "bits"})


@dataclass(frozen=True, eq=False)
class Trace:
    """Holds what a probe saw between `start` and `stop`: n samples, one each 1/rate_hz seconds.

    Either `current_a` with `voltage_v`, or `energy_uj` (probes that integrate by themselves).
    `markers` holds the level of the three marker pins (bits 0..2) of each sample, None where none are wired.
    `lost` marks samples that the probe or its line dropped; their values are NaN and their markers 0xFF.
    """

    rate_hz: float
    source: Source
    probe: str  # instrument, e.g. "PPK2"
    rail: str  # what flows through it, e.g. "3V3 of MCU and Wi-Fi module"
    current_a: Floats | None = None
    voltage_v: Floats | None = None
    energy_uj: Floats | None = None
    markers: Bytes | None = None
    lost: Bools | None = None
    start_s: float = 0.0  # time of the first sample on the probe's own clock
    info: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise ValueError(f"a trace needs a sample rate above 0 (got {self.rate_hz})")
        if (self.current_a is None) != (self.voltage_v is None) or (self.current_a is None) == (self.energy_uj is None):
            raise ValueError("a trace needs current and voltage, or energy")
        if len({len(c) for c in (*self.channels.values(), self.lost) if c is not None}) > 1:
            raise ValueError("the channels of a trace have different lengths")

    @property
    def channels(self) -> dict[str, Floats | Bytes]:
        """Return the channels that are there, by name; their units are in `UNITS`."""
        named: dict[str, Floats | Bytes | None] = {
            "current": self.current_a,
            "voltage": self.voltage_v,
            "energy": self.energy_uj,
            "markers": self.markers,
        }
        return {name: values for name, values in named.items() if values is not None}

    def __len__(self) -> int:
        values = self.current_a if self.current_a is not None else self.energy_uj
        return 0 if values is None else len(values)

    @property
    def lost_samples(self) -> int:
        """Count the samples that are known to be lost."""
        return 0 if self.lost is None else int(np.count_nonzero(self.lost))

    @property
    def duration_s(self) -> float:
        """Return the seconds from the first sample to the end of the last."""
        return len(self) / self.rate_hz


@dataclass(frozen=True, eq=False)
class PowerTimeline:
    """Holds what a modelled board draws: piecewise constant current and marker pins.

    `start_ms[i]` begins piece i (ascending, the first at 0), which lasts until the next one or until `end_ms`.
    """

    start_ms: Floats
    current_a: Floats
    markers: Bytes
    end_ms: float
    voltage_v: float
    rail: str
    info: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.start_ms) == len(self.current_a) == len(self.markers) or not len(self.start_ms):
            raise ValueError("a timeline needs as many currents and markers as starts, and one at least")
        if self.start_ms[0] != 0 or bool(np.any(np.diff(self.start_ms) <= 0)) or not self.end_ms > self.start_ms[-1]:
            raise ValueError("a timeline starts at 0 and ascends to its end")
        if not (bool(np.all(np.isfinite(self.current_a))) and bool(np.all(self.current_a >= 0))):
            raise ValueError("the currents of a timeline are finite and not negative")

    def energy_uj(self) -> float:
        """Return the exact energy of the whole timeline, uJ: what a perfect probe would find."""
        ms = np.diff(np.append(self.start_ms, self.end_ms))
        return float(np.sum(ms * self.current_a) * self.voltage_v * 1e3)


class PowerProbe(ABC):
    """Controls one instrument on one rail. Use it as a context manager, or `close()` it."""

    name: str
    source: Source
    rate_hz: float

    @abstractmethod
    def start(self) -> None:
        """Begin a recording. Raises BenchError when the instrument can't."""

    @abstractmethod
    def stop(self) -> Trace:
        """End the recording and hand it over. Raises BenchError when nothing was measured."""

    @abstractmethod
    def close(self) -> None:
        """Give the instrument back. It is safe to call this twice."""

    def cycle_supply(self, off_s: float) -> None:
        """Switch the supply of the board off for `off_s` seconds, where the instrument feeds it.

        Raises:
            BenchError: it does not feed the board, is recording, or is gone.
        """
        raise BenchError(f"the {self.name} does not feed the board", cure="switch its supply by another program")

    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of the instrument; `calibration` is what it works with, None where it
        tells none.
        """
        return {"name": self.name, "source": self.source, "rate_hz": self.rate_hz, "calibration": None}

    def __enter__(self) -> PowerProbe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
