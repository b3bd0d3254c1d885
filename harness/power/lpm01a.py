"""Drives ST's X-NUCLEO-LPM01A (PowerShield) over its USB serial port.

A text dialogue: `htc` takes control, `volt 3300m`, `freq 5k`, `acqtime inf`, `output current|energy`,
`format ascii_dec|bin_hexa`, `start`, `stop`, `hrc` gives control back; each is answered by `ack` and the command behind
the prompt, or `error`. Facts from the board's own command help. The board has no inputs for three marker pins: stages
can't be told with it, only windows (`energy.window_energy_uj`) from time stamps. Edges of D7 are read where the board
reports them by itself; the command that makes it do so isn't sent here.
Not yet run against the instrument itself, only against `standins.lpm01a`.
"""

from __future__ import annotations

import time
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from harness.contracts.errors import BenchError
from harness.contracts.probe import Source, Trace
from harness.contracts.toml import Strict
from harness.power.lpm01a_format import AsciiParser, BinaryParser, Parser, with_gaps
from harness.power.serial_probe import SerialProbe

INSTRUMENT = "X-NUCLEO-LPM01A"
PROMPT = "PowerShield > "
BAUD = 3_686_400
FREQUENCIES_HZ = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
_ASCII_MAX_HZ = 5000  # beyond it the line is too slow for an endless recording
_ENERGY_MAX_HZ = 10_000
_MAX_ANSWER_BYTES = 1 << 16


class Lpm01aOptions(Strict):
    """Says how the LPM01A is set."""

    volt_mv: int = Field(default=3300, ge=1800, le=3300)
    freq_hz: int = 1000
    output: Literal["current", "energy"] = "current"
    format: Literal["ascii_dec", "bin_hexa"] = "bin_hexa"
    rail: str = "the target's supply out of the LPM01A"
    answer_s: float = Field(default=2.0, gt=0, le=60)
    quiet_s: float = Field(default=2.0, gt=0, le=60)
    longest_s: float = Field(default=3600.0, gt=0, le=36_000)

    @model_validator(mode="after")
    def _possible(self) -> Lpm01aOptions:
        if self.freq_hz not in FREQUENCIES_HZ:
            raise ValueError(f"freq_hz must be one of {', '.join(map(str, FREQUENCIES_HZ))}")
        if self.format == "ascii_dec" and self.freq_hz > _ASCII_MAX_HZ:
            raise ValueError(f"ascii_dec streams without end only up to {_ASCII_MAX_HZ} Hz: use bin_hexa")
        if self.output == "energy" and self.freq_hz > _ENERGY_MAX_HZ:
            raise ValueError(f"the board integrates energy only up to {_ENERGY_MAX_HZ} Hz")
        return self


class Lpm01aProbe(SerialProbe):
    """Drives one LPM01A at one port.

    Raises:
        BenchError: no port, no LPM01A behind it, or a command that it refuses.
    """

    name = INSTRUMENT

    def __init__(self, path: str, options: Lpm01aOptions | None = None, source: Source = "measured") -> None:
        self._options = options or Lpm01aOptions()
        super().__init__(path, BAUD, source, quiet_s=self._options.quiet_s, longest_s=self._options.longest_s)
        self.rate_hz = float(self._options.freq_hz)
        self._parser: Parser = AsciiParser()
        self.event_s: list[tuple[float, str]] = []  # edges of D7 in the last recording, on its sample clock
        try:
            self._configure()
        except BaseException:
            self._port.close()
            raise

    def _begin(self) -> None:
        rest = self._command("start")
        self._parser = AsciiParser() if self._options.format == "ascii_dec" else BinaryParser()
        self._parser.feed(rest)

    def _feed(self, data: bytes) -> None:
        self._parser.feed(data)

    def _count(self) -> int:
        return self._parser.stream.count

    def _ended(self) -> bool:
        return self._parser.stream.done

    def _stop_words(self) -> bytes:
        return b"stop\n"

    def _last_words(self, *, recording: bool) -> bytes:
        return b"stop\nhrc\n" if recording else b"hrc\n"

    def _trace(self) -> Trace:
        stream = self._parser.stream
        if stream.errors:
            raise BenchError(
                f"the LPM01A reported: {stream.errors[0][:100]}", cure="its limit is 50 mA; an F746 runs above it"
            )
        if not stream.count:
            raise BenchError(f"the LPM01A at {self._path} sent no samples", cure="is the target's jumper set?")
        values, lost = with_gaps(stream, self.rate_hz)
        if stream.bad_lines:  # nobody can tell which samples were in them
            lost = np.ones(len(values), dtype=np.bool_)
        self.event_s = [(count / self.rate_hz, edge) for count, edge in stream.events]
        volts = self._options.volt_mv / 1e3
        energy = self._options.output == "energy"
        return Trace(
            rate_hz=self.rate_hz,
            source=self.source,
            probe=INSTRUMENT,
            rail=self._options.rail,
            current_a=None if energy else values,
            voltage_v=None if energy else np.full(len(values), volts),
            energy_uj=values * 1e6 if energy else None,
            lost=lost,
            info={"volt_mv": str(self._options.volt_mv), "bad_lines": str(stream.bad_lines), **self.clock_info()},
        )

    def _configure(self) -> None:
        self._write(b"stop\n")  # a killed run may have left it streaming
        deadline = time.monotonic() + self._options.answer_s
        while self._read():
            if time.monotonic() > deadline:
                raise BenchError(f"the LPM01A at {self._path} doesn't stop streaming", cure="unplug it and plug it in")
        options = self._options
        freq = f"{options.freq_hz // 1000}k" if options.freq_hz >= 1000 else str(options.freq_hz)
        for command in (
            "htc",
            f"volt {options.volt_mv}m",
            f"freq {freq}",
            "acqtime inf",
            "trigsrc sw",
            f"output {options.output}",
            f"format {options.format}",
            "pwr on",
        ):
            self._command(command)

    def _command(self, command: str) -> bytes:
        """Send `command` and wait for its ack; return what came after that line."""
        self._write(command.encode("ascii") + b"\n")
        answer = b""
        deadline = time.monotonic() + self._options.answer_s
        while time.monotonic() < deadline and len(answer) < _MAX_ANSWER_BYTES:
            answer += self._read()
            *lines, rest = answer.split(b"\n")
            for at, raw in enumerate(lines):
                line = raw.decode("ascii", "replace").replace(PROMPT.strip(), "").strip()
                if line == f"ack {command}":
                    return b"\n".join([*lines[at + 1 :], rest])
                if line.startswith(("error", "err ")) and command in line:
                    raise BenchError(f"the LPM01A refuses {command!r} ({line[:80]})", cure="mend the probe's settings")
        raise BenchError(
            f"no LPM01A answers {command!r} at {self._path}", cure="is the port an LPM01A's? name it by [probe] port"
        )
