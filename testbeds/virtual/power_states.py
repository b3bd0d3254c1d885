"""Models what the emulated board draws: a power-state timeline from what it did, with currents from data sheets.

The core runs or sleeps at its clock, the Wi-Fi module sends, receives or idles; the current is their sum. The figures
and where each comes from are in `power_currents.toml`. Beside them it is assumed that the core runs whenever the list
of states doesn't say that it sleeps, that a transition takes no time, and that the radio sends for as long as the link
needs for the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from harness.contracts.errors import BenchError
from harness.contracts.probe import STAGE_CODES, Bools, Floats, PowerTimeline
from harness.contracts.toml import Strict, read_toml

CURRENTS = Path(__file__).with_name("power_currents.toml")
DEFAULT_WIFI = "esp32"
DEFAULT_PAD_MS = 2.0  # stays idle on both sides of an inference, for the idle level and clean edges

Milliamps = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Seen = Literal["source", "quoted", "recollection"]
Interval = tuple[float, float]  # (start_ms, end_ms)


class _Cited(Strict):
    document: str = Field(min_length=3)
    table: str = Field(min_length=3)
    seen: Seen


class CoreCurrent(_Cited):
    """Holds the typical current over clock, with straight lines between the points."""

    mhz: list[Annotated[float, Field(gt=0, le=1000)]] = Field(min_length=2)
    ma: list[Milliamps]

    @model_validator(mode="after")
    def _paired(self) -> CoreCurrent:
        if len(self.mhz) != len(self.ma) or any(b <= a for a, b in pairwise(self.mhz)):
            raise ValueError("mhz must ascend and have a current each")
        return self

    def at_ma(self, mhz: float) -> float:
        """Return the milliamperes at `mhz`. Raises BenchError outside the data sheet's points."""
        if not self.mhz[0] <= mhz <= self.mhz[-1]:
            raise BenchError(
                f"no current is known for a core clock of {mhz:g} MHz",
                cure=f"use {self.mhz[0]:g}..{self.mhz[-1]:g} MHz, or add points to {CURRENTS.name}",
            )
        return float(np.interp(mhz, self.mhz, self.ma))


class Peripherals(_Cited):
    """Holds what the clocked peripherals add, by core clock."""

    ua_per_mhz: float = Field(ge=0, le=10_000)


class Core(Strict):
    """Describes the microcontroller."""

    run: CoreCurrent
    sleep: CoreCurrent
    peripherals: Peripherals


class WifiCurrent(_Cited):
    """Describes a Wi-Fi module: the current while its radio sends, receives, and does neither."""

    title: str
    tx_ma: Milliamps
    rx_ma: Milliamps
    idle_ma: Milliamps


class Currents(Strict):
    """Holds the whole table."""

    supply_v: float = Field(ge=1.7, le=5.0)
    rail: str
    core: Core
    wifi: dict[str, WifiCurrent] = Field(min_length=1)

    def core_ma(self, state: str, mhz: float) -> float:
        """Return the current of the core and its peripherals in mA; `state` is run or sleep."""
        current = self.core.run if state == "run" else self.core.sleep
        return current.at_ma(mhz) + self.core.peripherals.ua_per_mhz * mhz / 1e3


def read_currents(path: Path = CURRENTS) -> Currents:
    """Return the table of currents. Raises BenchError naming file and key when it is wrong."""
    return read_toml(path, Currents)


@cache
def currents() -> Currents:
    """Return the table that the bench ships."""
    return read_currents()


def power_timeline(
    stages: Sequence[tuple[float, str]],
    end_ms: float,
    *,
    clock_mhz: float,
    tx: Iterable[Interval] = (),
    rx: Iterable[Interval] = (),
    sleep: Iterable[Interval] = (),
    wifi: str = DEFAULT_WIFI,
    pad_ms: float = DEFAULT_PAD_MS,
    table: Currents | None = None,
) -> PowerTimeline:
    """Return the current that one sample draws, and its marker levels.

    Args:
        stages: (start_ms, stage) in ascending order, stage of local, encode, network, combine or idle.
        end_ms: when the last stage ended; the markers are idle from then on.
        clock_mhz: core clock.
        tx, rx: when the module's radio sent and received (tx wins where both overlap).
        sleep: when the core slept (WFI); it runs at all other times.
        wifi: the name of a module of the table.
        pad_ms: the idle time before the first stage and after the last.
        table: currents in place of those shipped.

    Raises:
        BenchError: a stage or module is unknown, times don't ascend, or the clock is outside the table.
    """
    table = table or currents()
    if wifi not in table.wifi:
        raise BenchError(f"no currents for the Wi-Fi module {wifi!r}", cure=f"one of {', '.join(table.wifi)}")
    if unknown := [name for _, name in stages if name not in STAGE_CODES]:
        raise BenchError(f"unknown stage {unknown[0]!r}", cure=f"one of {', '.join(STAGE_CODES)}")
    at = [start for start, _ in stages]
    if not stages or any(b <= a for a, b in zip(at, [*at[1:], end_ms], strict=True)) or not np.isfinite(end_ms):
        raise BenchError("the stages of a power timeline must ascend to its end", cure="report this: a board's log")
    if not pad_ms > 0:
        raise BenchError(f"idle padding must be above 0 ms (got {pad_ms:g})", cure=f"e.g. {DEFAULT_PAD_MS:g}")
    # From the first stage on, so that equal samples are equal to the last bit whenever they were taken.
    zero = at[0]
    at, end_ms = [_rounded(ms - zero) for ms in at], _rounded(end_ms - zero)
    first, last = _rounded(-pad_ms), _rounded(end_ms + pad_ms)
    radio = table.wifi[wifi]
    sending, receiving, sleeping = (_clean(i, zero, first, last) for i in (tx, rx, sleep))
    edges: Floats = np.unique(
        [first, *at, end_ms, *(t for i in (sending, receiving, sleeping) for pair in i for t in pair)]
    )
    edges = edges[edges < last]
    middle = (edges + np.append(edges[1:], last)) / 2
    core_ma = np.where(_inside(middle, sleeping), table.core_ma("sleep", clock_mhz), table.core_ma("run", clock_mhz))
    wifi_ma = np.where(
        _inside(middle, sending), radio.tx_ma, np.where(_inside(middle, receiving), radio.rx_ma, radio.idle_ma)
    )
    codes = np.array([0, *(STAGE_CODES[name] for _, name in stages), 0], dtype=np.uint8)
    return PowerTimeline(
        start_ms=np.round(edges - first, 6),
        current_a=(core_ma + wifi_ma) / 1e3,
        markers=codes[np.searchsorted([*at, end_ms], middle, side="right")],
        end_ms=_rounded(last - first),
        voltage_v=table.supply_v,
        rail=table.rail,
        info={"wifi": wifi, "clock_mhz": f"{clock_mhz:g}", "currents": "testbeds/virtual/power_currents.toml"},
    )


def _rounded(ms: float) -> float:
    """Round to the nanosecond, so that two edges are the same or clearly apart."""
    return round(ms, 6)


def _clean(intervals: Iterable[Interval], zero: float, first: float, last: float) -> list[Interval]:
    """Return the intervals from `zero` on, cut to [first, last]; empty ones are left out."""
    cut = [(max(_rounded(a - zero), first), min(_rounded(b - zero), last)) for a, b in intervals]
    return [(a, b) for a, b in cut if b > a]


def _inside(times: Floats, intervals: list[Interval]) -> Bools:
    found = np.zeros(len(times), dtype=np.bool_)
    for a, b in intervals:
        found |= (times >= a) & (times < b)
    return found
