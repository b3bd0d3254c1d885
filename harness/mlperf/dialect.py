"""Parses messages of the EEMBC DUT text dialect (MLPerf Tiny), device to host: bytes -> lines -> typed messages.

The host sends ASCII commands that end in `%`; the device answers with lines that end in CR LF and closes each answer
with `m-ready`. There is no checksum, so this side is strict: a line is a message only when it matches whole, anything
else is `Noise`. Source: behaviour of the public EnergyRunner and MLPerf Tiny reference harness (docs/mlperf.md).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

TERMINATOR = "%"
BAUD = 115_200
COMMAND_CHARS = 80  # what every device takes
OUR_COMMAND_CHARS = 510  # what our firmware takes (testbeds/firmware/eembc/eembc.h)
CHUNK_BYTES = 31  # input bytes in one `db` command, as the public runner sends them
OUR_CHUNK_BYTES = 248  # the same to our firmware: fewer turns of the line
MAX_LINE_BYTES = 16_384  # a results line of 1000 classes is about 10 kB
MAX_RESULTS = 1024
MAX_DIGITS = 20  # of any counter: a u64 has at most 20


@dataclass(frozen=True)
class Message:
    """Holds one line of the device, as it came."""

    text: str


class Ready(Message):
    """Stands for `m-ready`: the answer is complete."""


class InitDone(Message):
    """Stands for `m-init-done`: the device has just started, what it held is lost."""


class LoadDone(Message):
    """Stands for `m-load-done`: as many bytes as `db load` announced have come."""


class WarmupDone(Message):
    """Stands for `m-warmup-done`."""


class InferDone(Message):
    """Stands for `m-infer-done`."""


class Noise(Message):
    """Stands for a line that is no whole message: chatter, or what lost bytes have left of one."""


@dataclass(frozen=True)
class Counted(Message):
    """Serves as the base of a message with one number."""

    value: int


class Lap(Counted):
    """Stands for `m-lap-us-N`: the device's clock, microseconds since some moment."""


class Expecting(Counted):
    """Stands for `m-[Expecting N bytes]`: `db load N` was understood so."""


class WarmupStart(Counted):
    """Stands for `m-warmup-start-W`."""


class InferStart(Counted):
    """Stands for `m-infer-start-N`."""


@dataclass(frozen=True)
class Named(Message):
    """Serves as the base of a message with one word or sentence in it."""

    said: str


class Name(Named):
    """Stands for `m-name-dut-[NAME]`."""


class Profile(Named):
    """Stands for `m-profile-[VERSION]`."""


class Model(Named):
    """Stands for `m-model-[MODEL]`, such as ic01."""


class TimestampMode(Named):
    """Stands for `m-timestamp-mode-MODE`: performance or energy."""


class Refusal(Named):
    """Stands for `e-[REASON]`."""


@dataclass(frozen=True)
class Buffer(Message):
    """Stands for `m-buffer-HH-HH...`: up to eight bytes of the device's input buffer."""

    data: bytes


@dataclass(frozen=True)
class Results(Message):
    """Stands for `m-results-[F,F,...]`: what the network put out, finite numbers only."""

    values: tuple[float, ...]


_FIXED: dict[str, type[Message]] = {
    "m-ready": Ready,
    "m-init-done": InitDone,
    "m-load-done": LoadDone,
    "m-warmup-done": WarmupDone,
    "m-infer-done": InferDone,
}
_COUNTED: list[tuple[re.Pattern[str], type[Counted]]] = [
    (re.compile(rf"m-lap-us-(\d{{1,{MAX_DIGITS}}})"), Lap),
    (re.compile(rf"m-\[Expecting (\d{{1,{MAX_DIGITS}}}) bytes\]"), Expecting),
    (re.compile(rf"m-warmup-start-(\d{{1,{MAX_DIGITS}}})"), WarmupStart),
    (re.compile(rf"m-infer-start-(\d{{1,{MAX_DIGITS}}})"), InferStart),
]
_NAMED: list[tuple[re.Pattern[str], type[Named]]] = [
    (re.compile(r"m-name-dut-\[([^\[\]]*)\]"), Name),
    (re.compile(r"m-profile-\[([^\[\]]*)\]"), Profile),
    (re.compile(r"m-model-\[([^\[\]]*)\]"), Model),
    (re.compile(r"m-timestamp-mode-([a-z]+)"), TimestampMode),
    (re.compile(r"e-\[(.*)\]"), Refusal),
]
_BUFFER = re.compile(r"m-buffer-([0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2}){0,7})")
_RESULTS = re.compile(r"m-results-\[([^\[\]]*)\]")
_FLOAT = re.compile(r"[+-]?\d{1,12}(?:\.\d{0,12})?(?:[eE][+-]?\d{1,2})?")


def parse(line: str) -> Message:
    """Return the message that one line without its CR LF is, or `Noise`. This never raises."""
    line = line.strip(" \t\r\0")
    if kind := _FIXED.get(line):
        return kind(line)
    for counted_pattern, counted in _COUNTED:
        if match := counted_pattern.fullmatch(line):
            return counted(line, int(match[1]))
    for pattern, named in _NAMED:
        if match := pattern.fullmatch(line):
            return named(line, match[1])
    if match := _BUFFER.fullmatch(line):
        return Buffer(line, bytes.fromhex(match[1].replace("-", "")))
    if (match := _RESULTS.fullmatch(line)) and (values := _floats(match[1])) is not None:
        return Results(line, values)
    return Noise(line)


def _floats(text: str) -> tuple[float, ...] | None:
    """Read comma-separated numbers (a trailing comma is taken); None when one of them is none, or not finite."""
    parts = text.split(",")
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()
    if len(parts) > MAX_RESULTS:
        return None
    values = []
    for part in parts:
        if not _FLOAT.fullmatch(part.strip()) or not math.isfinite(value := float(part)):
            return None
        values.append(value)
    return tuple(values)


class LineReader:
    """Cuts a byte stream into messages, in bounded memory whatever comes.

    Bytes that are not printable ASCII make their line `Noise`; a line longer than `MAX_LINE_BYTES` is dropped up to
    its end and reported once, as `Noise`.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that `data` completes."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._take(piece)
            message = self._finish()
            if message is not None:
                yield message
        self._take(rest)

    @property
    def pending(self) -> str:
        """Return what has come of a line that has no end yet, at most 80 characters of it."""
        return bytes(self._line[:80]).decode("ascii", "replace")

    def clear(self) -> None:
        """Forget a half line."""
        self._line.clear()
        self._overlong = False

    def _take(self, piece: bytes) -> None:
        room = MAX_LINE_BYTES - len(self._line)
        self._overlong = self._overlong or len(piece) > room
        self._line += piece[:room]

    def _finish(self) -> Message | None:
        raw, overlong = bytes(self._line), self._overlong
        self.clear()
        text = raw.strip(b"\r\0 \t").decode("ascii", "backslashreplace")
        if overlong:
            return Noise(f"{text[:80]}... (line longer than {MAX_LINE_BYTES} bytes)")
        if not text:
            return None
        return parse(text) if text.isprintable() and text.isascii() else Noise(text.encode("unicode_escape").decode())


def hex_chunks(data: bytes, chunk_bytes: int = CHUNK_BYTES) -> Iterator[str]:
    """Yield the `db HH...` commands (without `%`) that carry `data`."""
    for start in range(0, len(data), chunk_bytes):
        yield f"db {data[start : start + chunk_bytes].hex()}"


Listener = Callable[[str, str], None]  # (who, line): "host" or "dut"
