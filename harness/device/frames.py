"""Makes and checks frames on the console line: COBS-stuffed, zero-delimited, closed by a CRC-32. See docs/protocol.md.

    frame = COBS(body | crc32(body) little endian) 0x00,   body = version | type | sequence u16 | payload

COBS: Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1999. CRC: IEEE 802.3, as zlib's.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

VERSION = 1
MAX_DECODED = 1200  # body and CRC
_HEAD = struct.Struct("<BBH")
_CRC = struct.Struct("<I")


class FrameError(ValueError):
    """Says that these bytes are no frame; they are to be dropped."""


@dataclass(frozen=True)
class Frame:
    """Holds one checked frame."""

    kind: int
    sequence: int
    payload: bytes
    version: int = VERSION


def seal(frame: Frame) -> bytes:
    """Return the bytes to send, delimiter included.

    Raises:
        FrameError: the payload is too long for one frame.
    """
    body = _HEAD.pack(frame.version, frame.kind, frame.sequence) + frame.payload
    if len(body) + _CRC.size > MAX_DECODED:
        raise FrameError(f"frame of {len(body) + _CRC.size} bytes is over {MAX_DECODED}")
    return stuff(body + _CRC.pack(zlib.crc32(body))) + b"\0"


def unseal(data: bytes) -> Frame:
    """Return the frame in `data`, which is what stood between two delimiters.

    Raises:
        FrameError: too short or long, ill-stuffed, or the CRC is wrong.
    """
    if len(data) > MAX_DECODED + MAX_DECODED // 254 + 1:
        raise FrameError("too long")
    whole = unstuff(data)
    if not _HEAD.size + _CRC.size <= len(whole) <= MAX_DECODED:
        raise FrameError("wrong size")
    body = whole[: -_CRC.size]
    if _CRC.unpack(whole[-_CRC.size :])[0] != zlib.crc32(body):
        raise FrameError("wrong CRC")
    version, kind, sequence = _HEAD.unpack_from(body)
    return Frame(kind, sequence, body[_HEAD.size :], version)


def stuff(data: bytes) -> bytes:
    """Encode by COBS: no zero byte is in the result."""
    out = bytearray()
    for run in _runs(data):
        out.append(len(run) + 1)
        out += run
    return bytes(out)


def unstuff(data: bytes) -> bytes:
    """Decode by COBS.

    Raises:
        FrameError: a zero byte, or a code that reaches past the end.
    """
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        run = data[at + 1 : at + code]
        if code == 0 or len(run) != code - 1 or 0 in run:
            raise FrameError("ill-stuffed")
        out += run
        at += code
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


def _runs(data: bytes) -> list[bytes]:
    """Return the runs without zero, cut at 254 bytes; a run of exactly 254 is not followed by an implied zero."""
    runs: list[bytes] = []
    parts = data.split(b"\0")
    for index, part in enumerate(parts):
        rest = part
        while len(rest) >= 254:
            runs.append(rest[:254])
            rest = rest[254:]
        # At the very end, nothing more is implied after a full run.
        if rest or index < len(parts) - 1 or len(part) < 254:
            runs.append(rest)
    return runs
