"""Reads and switches offloads of a network device by ioctl (ethtool(8) is often not installed): they would glue packets
together.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import socket
import struct
from typing import Final

_SIOCETHTOOL: Final = 0x8946  # linux/sockios.h
# linux/ethtool.h: (get, set)
_COMMANDS: Final = {"tx": (0x16, 0x17), "tso": (0x1E, 0x1F), "gso": (0x23, 0x24), "gro": (0x2B, 0x2C)}


def read(interface: str, what: str) -> bool | None:
    """Say whether the offload is on; None where the device can't tell."""
    value = _ioctl(interface, _COMMANDS[what][0], 0)
    return None if value is None else bool(value)


def write(interface: str, what: str, on: bool) -> bool:
    """Switch it, and say whether that worked."""
    return _ioctl(interface, _COMMANDS[what][1], int(on)) is not None


def _ioctl(interface: str, command: int, data: int) -> int | None:
    value = ctypes.create_string_buffer(struct.pack("II", command, data), 8)  # struct ethtool_value
    request = struct.pack("16sP", interface.encode()[:15], ctypes.addressof(value)).ljust(40, b"\0")  # struct ifreq
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, contextlib.suppress(OSError):
        fcntl.ioctl(s.fileno(), _SIOCETHTOOL, request)
        return int(struct.unpack("II", value.raw)[1])
    return None
