"""Tells which message ends a device's wait: the emulated module stands still in virtual time until it has come."""

from __future__ import annotations

import struct
import zlib

_HEAD = struct.Struct("<BBHII")  # version, codec or status, sequence, weights, body bytes; a CRC-32 follows
HEAD_BYTES = _HEAD.size + 4
VERSION = 1


def is_answer(sent: bytes, message: bytes) -> bool:
    """Tell whether the bench's firmware would take `message` as the answer to `sent` (docs/protocol.md).

    Whatever comes after a message that is none of the bench's payloads counts: another image has its own protocol.
    """
    if not _whole(sent):
        return True
    if not _whole(message):
        return False
    _, status, sequence, weights, _ = _HEAD.unpack_from(message)
    _, _, asked, own, _ = _HEAD.unpack_from(sent)
    return sequence == asked and (status != 0 or weights == own)


def _whole(message: bytes) -> bool:
    if len(message) < HEAD_BYTES:
        return False
    version, _, _, _, body_bytes = _HEAD.unpack_from(message)
    crc = zlib.crc32(message[HEAD_BYTES:], zlib.crc32(message[: _HEAD.size]))
    (wanted,) = struct.unpack_from("<I", message, _HEAD.size)
    return bool(version == VERSION and body_bytes == len(message) - HEAD_BYTES and wanted == crc)
