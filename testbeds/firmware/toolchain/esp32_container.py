"""Packs what lies in the stand-in's flash where a chip has its bootloader: the firmware as a program of this machine.

The layout is magic[16] | length u32 | SHA-256[32] | program
"""

from __future__ import annotations

import hashlib
import struct

MAGIC = b"AgileNN-standin\0"
_HEAD = struct.Struct("<16sI32s")
HEAD_BYTES = _HEAD.size


def pack(program: bytes) -> bytes:
    """Return an image of `program`."""
    return _HEAD.pack(MAGIC, len(program), hashlib.sha256(program).digest()) + program


def unpack(data: bytes) -> bytes | None:
    """Return the program at the beginning of `data`, or None when there is no whole one."""
    if len(data) < HEAD_BYTES:
        return None
    magic, length, digest = _HEAD.unpack_from(data)
    program = data[HEAD_BYTES : HEAD_BYTES + length]
    if magic != MAGIC or len(program) != length or hashlib.sha256(program).digest() != digest:
        return None
    return program
