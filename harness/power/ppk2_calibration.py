"""Reads the PPK2's metadata text and converts an ADC code into amperes.

The text has a line `KEY: value` for each modifier and range (R, GS, GI, O, S, I, UG; 0..4), for VDD (mV), mode and HW,
and ends with END. Facts from the public description in Nordic's open desktop application. For range r:

    x = (adc * 4 - O[r]) * (1.8 V / 163840) / R[r]
    A = UG[r] * (x * (GS[r] * x + GI[r]) + S[r] * VDD + I[r])
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.contracts.errors import BenchError
from harness.power.ppk2_words import ADC_CODES

RANGES = 5
MAX_TEXT_BYTES = 8192
TERMINATOR = b"END"
_VOLTS_PER_COUNT = 1.8 / 163840
_LINE = re.compile(r"([A-Za-z]{1,16}\d?)[ \t]*:[ \t]*([-+.0-9A-Za-z]{1,32})[ \t\r]*(?:\n|$)")
_NOMINAL = {
    "r": (1031.64, 101.65, 10.15, 0.94, 0.043),  # shunts, ohm
    "gs": (1.0,) * RANGES,
    "gi": (1.0,) * RANGES,
    "o": (0.0,) * RANGES,
    "s": (0.0,) * RANGES,
    "i": (0.0,) * RANGES,
    "ug": (1.0,) * RANGES,
}


@dataclass(frozen=True)
class Calibration:
    """Holds the modifiers of the five ranges; `nominal` names those that the instrument did not tell."""

    r: tuple[float, ...] = _NOMINAL["r"]
    gs: tuple[float, ...] = _NOMINAL["gs"]
    gi: tuple[float, ...] = _NOMINAL["gi"]
    o: tuple[float, ...] = _NOMINAL["o"]
    s: tuple[float, ...] = _NOMINAL["s"]
    i: tuple[float, ...] = _NOMINAL["i"]
    ug: tuple[float, ...] = _NOMINAL["ug"]
    vdd_mv: int | None = None
    mode: int | None = None
    hardware: int | None = None
    nominal: tuple[str, ...] = field(default_factory=tuple)

    def table_a(self, supply_v: float) -> npt.NDArray[np.float64]:
        """Return the amperes of every ADC-and-range code, float64 [8 * 16384]; NaN for the ranges 5..7, which don't
        exist.
        """
        table = np.full((8, ADC_CODES), np.nan)
        counts = np.arange(ADC_CODES, dtype=np.float64) * 4
        for n in range(RANGES):
            x = (counts - self.o[n]) * (_VOLTS_PER_COUNT / self.r[n])
            table[n] = self.ug[n] * (x * (self.gs[n] * x + self.gi[n]) + (self.s[n] * supply_v + self.i[n]))
        return table.reshape(-1)

    def text(self, vdd_mv: int, mode: int) -> bytes:
        """Return the metadata text that an instrument with this calibration sends."""
        lines = ["Calibrated: 0"]
        for key in _NOMINAL:
            lines += [f"{key.upper()}{n}: {value!r}" for n, value in enumerate(getattr(self, key))]
        lines += [f"VDD: {vdd_mv}", f"HW: {self.hardware or 0}", f"mode: {mode}", "IA: 56", "END\n"]
        return "\n".join(lines).encode("ascii")


def parse_metadata(text: bytes) -> Calibration:
    """Read a calibration from the metadata text (anything before its first line is skipped).

    A modifier that is missing, 0 or not a number takes its nominal value and is named in `nominal` where that differs,
    as in Nordic's application (pc-nrfconnect-ppk 01ae85c1, serialDevice.ts, parseMeta).

    Raises:
        BenchError: longer than 8 KiB, without END, or a shunt or gain that can't be.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise BenchError(f"the PPK2 sent {len(text)} bytes of metadata", cure="unplug it and plug it in again")
    if TERMINATOR not in text:
        raise BenchError("the PPK2's metadata has no END", cure="unplug it and plug it in again")
    body = text[: text.index(TERMINATOR)].decode("latin-1")
    values: dict[str, float] = {}
    for key, value in _LINE.findall(body):
        number = _number(value)
        if number is not None:
            values[key.lower()] = number
    if "r0" not in values:
        raise BenchError(
            "the PPK2's metadata names no calibration (R0)", cure="is the port a PPK2's? name it by [probe] port"
        )
    nominal: list[str] = []
    modifiers: dict[str, tuple[float, ...]] = {}
    for key, defaults in _NOMINAL.items():
        found = [values.get(f"{key}{n}") or None for n in range(RANGES)]  # 0 counts as not told
        told = [f"{key}{n}" in values and (values[f"{key}{n}"] or not defaults[n]) for n in range(RANGES)]
        nominal += [f"{key.upper()}{n}" for n in range(RANGES) if not told[n]]
        modifiers[key] = tuple(default if v is None else v for v, default in zip(found, defaults, strict=True))
    if min(modifiers["r"]) <= 0 or min(modifiers["ug"]) <= 0:
        raise BenchError("the PPK2's metadata has a shunt or gain below 0", cure="calibrate it in Nordic's app")
    return Calibration(
        r=modifiers["r"],
        gs=modifiers["gs"],
        gi=modifiers["gi"],
        o=modifiers["o"],
        s=modifiers["s"],
        i=modifiers["i"],
        ug=modifiers["ug"],
        vdd_mv=_integer(values.get("vdd")),
        mode=_integer(values.get("mode")),
        hardware=_integer(values.get("hw")),
        nominal=tuple(nominal),
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e12 else None


def _integer(value: float | None) -> int | None:
    return None if value is None else int(value)
