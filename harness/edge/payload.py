"""Packs and parses the 16-byte header of payloads and replies. Bodies are decoded by the C host library."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

VERSION = 1
MAX_BODY = 65_536
_HEAD = struct.Struct("<BBHII")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEAD.size + _CRC.size


class Status(IntEnum):
    """Names byte 1 of a reply."""

    OK = 0
    OTHER_WEIGHTS = 1
    BAD_PAYLOAD = 2
    BUSY = 3


class PayloadError(ValueError):
    """Says that these bytes are no payload of this format."""


@dataclass(frozen=True)
class Header:
    """Holds what a payload says of itself. `kind` is the codec going up, the status coming down."""

    kind: int
    sequence: int
    weights: int
    body_bytes: int


def pack(kind: int, sequence: int, weights: int, body: bytes) -> bytes:
    """Return header and body."""
    head = _HEAD.pack(VERSION, kind, sequence, weights, len(body))
    return head + _CRC.pack(zlib.crc32(body, zlib.crc32(head))) + body


def parse(data: bytes) -> tuple[Header, bytes]:
    """Check the header against the bytes.

    Raises:
        PayloadError: too short, another version, a length that does not fit, or a wrong CRC.
    """
    if len(data) < HEADER_BYTES:
        raise PayloadError(f"{len(data)} bytes are no header")
    version, kind, sequence, weights, body_bytes = _HEAD.unpack_from(data)
    if version != VERSION:
        raise PayloadError(f"version {version}")
    if body_bytes > MAX_BODY or body_bytes != len(data) - HEADER_BYTES:
        raise PayloadError(f"{body_bytes} bytes announced, {len(data) - HEADER_BYTES} came")
    body = data[HEADER_BYTES:]
    if _CRC.unpack_from(data, _HEAD.size)[0] != zlib.crc32(body, zlib.crc32(data[: _HEAD.size])):
        raise PayloadError("wrong CRC")
    return Header(kind, sequence, weights, body_bytes), body


def sequence_of(data: bytes) -> int:
    """Return the sequence number of bytes that may be no payload; 0 when there is none."""
    return int.from_bytes(data[2:4], "little") if len(data) >= 4 else 0


def reply(status: Status, sequence: int, weights: int, logits: npt.NDArray[np.float32] | None = None) -> bytes:
    """Return what goes down: the logits as little-endian float32, nothing unless `status` is OK."""
    body = b"" if logits is None or status is not Status.OK else np.asarray(logits, dtype="<f4").tobytes()
    return pack(int(status), sequence, weights, body)
